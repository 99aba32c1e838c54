#!/bin/sh
# Plants the bugs of mutants.txt one by one; the tests must notice each.  Without
# nvcc and python3 those in the assembler are left out.  Needs the built tests.
# The Makefile says what with: CXX, CC with its flags, NVCC, OBJECTS that a test is
# linked with, LIBS.
work=$BUILD/mutant
mkdir -p "$work/kernels"
all=0 caught=0 left=0

# compile FILE OBJECT: the mutated file, or what includes a mutated header
compile() {
	case $1 in
	*.c) $CC -I"$work" -c -o "$2" "$work/kernels/cuda/$1" ;;
	*) $CXX -I"$work" -I. -Itests/kernels/cuda -O1 -x c++ -c -o "$2" \
		"$work/kernels/cuda/$1" ;;
	esac
}

# compile_ptx FAMILY OBJECT
compile_ptx() {
	$NVCC -std=c++17 -O3 -fmad=false -I"$work" -I. -arch=sm_80 -ptx \
		-o "$work/mutant.ptx" "$work/kernels/cuda/$1.cu" \
	&& python3 tests/kernels/cuda/ptx2cpp.py "$work/mutant.ptx" \
		>"$work/mutant.cpp" \
	&& $CXX -I. -Itests/kernels/cuda -O1 -w -c -o "$2" "$work/mutant.cpp"
}

while IFS='|' read -r file script command what; do
	case $file in '#'*) continue ;; esac
	rm -rf "$work/kernels/cuda"
	cp -r kernels/cuda "$work/kernels/"
	sed -i "$script" "$work/kernels/cuda/$file"
	if cmp -s "kernels/cuda/$file" "$work/kernels/cuda/$file"; then
		echo "not ok planted: $what: nothing was changed"
		continue
	fi
	family=${file%.*} compiler=compile
	case $command in
	ptx\ *)
		[ -n "$NVCC" ] && command -v python3 >/dev/null \
			|| { left=$((left + 1)); continue; }
		command=${command#ptx } family=${command%% *}
		command=${command#* } compiler=compile_ptx file=$family ;;
	esac
	all=$((all + 1))
	test=${command%% *} args=
	[ "$test" = "$command" ] || args=${command#* }
	$compiler "$file" "$work/mutant.o" >"$work/log" 2>&1 \
		|| { echo "not ok planted: $what: does not build"; cat "$work/log"
			continue; }
	rest=$(for o in $OBJECTS; do case $o in */"$family".o) ;; *) echo "$o" ;;
		esac; done)
	$CC -o "$work/mutant" "$BUILD/tests/kernels/$test.o" "$work/mutant.o" \
		$rest $LIBS || exit 1
	timeout 120 "$work/mutant" $args >"$work/log" 2>&1
	if [ $? -ne 0 ]; then
		caught=$((caught + 1))
	else
		echo "# not noticed: $what"
	fi
done <tests/kernels/cuda/mutants.txt
[ $left -eq 0 ] || echo "# $left need nvcc and python3"
if [ $caught -ne $all ]; then
	echo "not ok $caught of $all caught"
	exit 1
fi
echo "ok $caught of $all caught"

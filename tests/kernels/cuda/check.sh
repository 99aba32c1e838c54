#!/bin/sh
# check.sh - the tests of the CUDA kernels on nvcc's PTX as C++ (arguments: the
# folders build/ptx/SM with the programs), and in the shim as other architectures.
# FULL=1: slices too.  Prints "ok NAME" lines and a last line "N passed, N failed".
log=$BUILD/ptx.log
: >"$log"
if [ $# -eq 0 ]; then
	echo "ok nvcc's PTX of the kernels # skip: needs nvcc, python3 and g++"
fi | tee -a "$log"
for folder; do
	sm=${folder##*/}
	for test in cuda_values cuda_counts ${FULL:+cuda_cut}; do
		SHIM_SM=$sm "$folder/$test" >"$folder/$test.log" 2>&1
		code=$?
		if [ $code -eq 0 ]; then
			echo "ok PTX of sm_$sm: $test"
		else
			grep -B 4 '^not ok' "$folder/$test.log" | head -n 30
			tail -n 3 "$folder/$test.log"
			echo "not ok PTX of sm_$sm: $test, exit code $code"
		fi
		sed -n 's/^\(# .* for an mma.*\)/\1/p' "$folder/$test.log"
	done
done | tee -a "$log"
for sm in 75 86; do
	SHIM_SM=$sm "$BUILD/tests/kernels/cuda_values" >"$BUILD/shim_$sm.log" 2>&1 \
		&& echo "ok shim as sm_$sm" || { grep -B 4 '^not ok' "$BUILD/shim_$sm.log"
			echo "not ok shim as sm_$sm"; }
done | tee -a "$log"
passed=$(grep -c '^ok ' "$log") failed=$(grep -c '^not ok ' "$log")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/bin/sh
# A value is scaled until it overflows, then made finite again by an op that hides
# it: no such plan ends with 0, and none that stays in range ends otherwise.
. tests/tools/cli.sh

tensors x.safetensors x:f32:4x4x8=3
tensors w.safetensors out.weight:f32:8x8=1 out.bias:f32:8=0
# The op that made it, not one that met it; f16 has a way out.
says_first() {
	grep -q "instruction [0-9]*, mul.* made a NaN or infinity (element 0, $1)" "$MESSAGES/err" || return 1
	[ "$1" != f16 ] || says "dtype bf16 or f32 helps"
}
# plan NAME TYPE FACTOR TIMES WANT EXPRESSION
plan() {
	{
		echo "model m(x: [h=4, w=4, c=8]) -> y {"
		echo "    a0 = x"
		i=0
		while [ $i -lt "$4" ]; do
			echo "    a$((i + 1)) = a$i * $3"
			i=$((i + 1))
		done
		echo "    s = a$i"
		echo "    y = $6"
		echo "    return y"
		echo "}"
	} >m.slu
	run compile m.slu --dtype "$2" -o m.slb --quiet
	check "$1 compiles" [ $code -eq 0 ]
	weights=
	case $6 in *@out*) weights="--weights w.safetensors" ;; esac
	run run m.slb $weights --in x.safetensors --out y.safetensors --quiet
	check "$1 ends with $5" [ $code -eq "$5" ]
	[ "$5" -eq 0 ] || check "$1: the first op, its type and what helps" says_first "$2"
}
n=0
for dtype in f16 bf16 f32; do
	many=40
	[ $dtype != f16 ] || many=6
	for sign in "" -; do
		for times in $many $((many + 3)); do
			for hide in "clamp(s * ${sign}1.5, -1, 1)" "sigmoid(s * ${sign}1.5)" "1 / (s * ${sign}1.5)" \
				"s * ${sign}1.5 |> clamp(0, 2) |> sigmoid" "s * ${sign}1.5 |> linear(8) @out |> clamp(-1, 1)" \
				"x / (s * ${sign}1.5)"; do
				n=$((n + 1))
				plan "$dtype $times $hide" $dtype 10 $times 9 "$hide"
			done
		done
	done
	plan "$dtype in range" $dtype 10 2 0 "clamp(s, -1, 1)"
	plan "$dtype in range, divided" $dtype 10 2 0 "1 / s"
done
check "$n plans are at least 65" [ $n -ge 65 ]

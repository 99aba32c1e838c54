#!/bin/sh
# golden_all.sh FOLDER - runs all recorded cases of a folder that holds some of
# models/, pipelines/, schedulers/ and tokenizer/ (tests/data/README.md says what
# is in each), from the project's folder after `make check` has built the tools.
folder=${1:?usage: tests/tools/golden_all.sh FOLDER}
. tests/tools/golden.sh

for case in "$folder"/models/*/; do
	[ ! -d "$case" ] || model_case "${case%/}"
done
for case in "$folder"/pipelines/*/; do
	[ ! -d "$case" ] || pipeline_case "${case%/}"
done
for case in "$folder"/schedulers/*.json; do
	[ ! -f "$case" ] || "$BUILD/tests/lang/sampler" "$case" \
		|| failed=$((failed + 1))
done
if [ -f "$folder/tokenizer/cases.json" ]; then
	"$BUILD/tests/compiler/tokenizer" "$folder/tokenizer" || failed=$((failed + 1))
fi
[ $models -eq 0 ] || echo "# $models models; largest errors: $(largest_errors)"
echo "$failed failed"
[ $failed -eq 0 ]

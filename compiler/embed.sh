#!/bin/sh
# Prints C source with the given files as byte arrays.
# usage: embed.sh NAME FILE ...      makes  const Builtin NAME[]
name=$1
shift
echo '#include "ir/base/base.h"'
echo "extern const Builtin $name[];"
i=0
for f; do
	printf 'static const char text_%d[] = {' $i
	od -An -v -tx1 "$f" | sed 's/ \([0-9a-f][0-9a-f]\)/ (char)0x\1,/g'
	echo ' 0};'
	i=$((i + 1))
done
echo "const Builtin $name[] = {"
i=0
for f; do
	printf '\t{"%s", text_%d, sizeof text_%d - 1},\n' "${f##*/}" $i $i
	i=$((i + 1))
done
printf '\t{0, 0, 0},\n};\n'

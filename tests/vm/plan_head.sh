#!/bin/sh
# A plan file's head is looked at before the rest is read: what is no plan is refused
# at once, however long it is.
. tests/tools/cli.sh

no_plan() {
	run verify "$1"
	[ $code = 4 ] && says "$2"
}

"$SLUICE" compile tiny.slu --quiet -o tiny.slb
size=$(stat -c %s tiny.slb)
truncate -s 10G zeros.slb
check "ten gigabytes of zeros" no_plan zeros.slb "this is no plan file"
head -c 1000 tiny.slb >long.slb
truncate -s 10G long.slb
check "ten gigabytes behind a plan's head" no_plan long.slb \
	"the file has 10737418240 bytes, $size were written"
check "an endless stream" no_plan /dev/zero "this is no plan file"
# its length, a field of the head, is a terabyte
{ head -c 216 tiny.slb; printf '\0\0\0\0\0\001\0\0'; tail -c +225 tiny.slb; } >far.slb
check "a plan that says it has a terabyte" no_plan far.slb \
	"the file says that it has 1099511627776 bytes"
head -c 100 tiny.slb >short.slb
check "a plan's first 100 bytes" no_plan short.slb "100 bytes are too short"
head -c 2000 tiny.slb >short.slb
check "a plan's first 2000 bytes" no_plan short.slb "the file has 2000 bytes"
check "a folder" eval 'run verify .; [ $code = 8 ] && says "directory"'
check "a plan from standard input" eval 'cat tiny.slb | "$SLUICE" verify - --quiet'
check "its first 2000 bytes from there" eval \
	'! cat short.slb | "$SLUICE" verify - --quiet 2>"$MESSAGES/err" &&
	says "the file has 2000 bytes, $size were written"'
check "and more behind it" eval \
	'! cat tiny.slb short.slb | "$SLUICE" verify - --quiet 2>"$MESSAGES/err" &&
	says "were written"'

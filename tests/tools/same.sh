# same.sh - same_tensors A B: whether two safetensors files hold the same bytes of
# tensors, whatever their notes say.  Sourced.

# The bytes behind the header, whose length the first eight say.
tensor_bytes() {
	tail -c +$(($(od -An -tu8 -N8 "$1") + 9)) "$1"
}

same_tensors() {
	[ -s "$1" ] && [ -s "$2" ] || return 2
	[ "$(tensor_bytes "$1" | cksum)" = "$(tensor_bytes "$2" | cksum)" ]
}

other_tensors() {
	same_tensors "$1" "$2"
	[ $? -eq 1 ]
}

"""Many runs at once: what is to be made, one function that makes one of them, and the engines that map it."""

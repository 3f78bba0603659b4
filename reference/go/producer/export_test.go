package producer

// Script is for tests that send the step themselves.
func Script() string { return script() }

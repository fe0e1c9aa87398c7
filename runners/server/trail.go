package server

// Trail is a baseline's answers with their distributions.
type Trail struct{}

package tokenizer

// pattern is a regular expression as tokenizer.json files write them: the Perl-like syntax of Oniguruma as far as
// tokenizers use it, which includes look-ahead, and so lies outside package regexp. It backtracks, leftmost alternative
// first. The three most common expressions have splitters of their own (split.go), which are judged by this one.
type pattern struct {
	prog  []instr
	start int32
}

type opcode uint8

const (
	opChar   opcode = iota // one character of class
	opSplit                // try x, then y
	opAhead                // look-ahead: the program at x matches here; negated if neg
	opAtomic               // the program at x, without giving back what it took
	opBOL                  // at the start of a line
	opEOL                  // at the end of a line
	opMatch
)

type instr struct {
	op    opcode
	neg   bool
	x, y  int32
	class *charClass
}

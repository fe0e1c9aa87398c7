package tokenizer

// pattern is a regular expression of a tokenizer.json: the part of Oniguruma's syntax that tokenizers use. Package regexp
// cannot read it, because it has look-ahead. It is matched by backtracking, leftmost alternative first. The three most
// common expressions have hand-written scanners (split.go), which are tested against this type.
type pattern struct {
	prog  []instr
	start int32
}

type opcode uint8

const (
	opChar   opcode = iota // one character of class
	opSplit                // try x, then y
	opAhead                // look-ahead: the program at x matches here; negated if neg
	opAtomic               // match the program at x, without backtracking into it
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

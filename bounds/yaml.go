package bounds

import (
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// The bounds of a YAML text. The time and memory of the library's parser grow with the square
// of both; those of its lexer do not.
const (
	maxYAML  = 64 << 10 // bytes
	maxDepth = 32       // lists and mappings in one another
)

// ReadYAML reads a file, but no more of it than [CheckYAML] needs to refuse one that is too
// long.
func ReadYAML(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxYAML+1))
}

// CheckYAML refuses a YAML text, before it is parsed, that is too long, nests too deep, or has
// anchors, aliases or tags. With those a short text can stand for a very long one, and no file
// of this program needs them. Its errors begin with ":LINE: " or ": ", to follow a file's name.
func CheckYAML(text []byte) (err error) {
	defer func() {
		if p := recover(); p != nil { // the YAML library on hostile input
			err = fmt.Errorf(": not readable as YAML: %v", p)
		}
	}()
	if len(text) > maxYAML {
		return fmt.Errorf(": longer than the %d KiB that are read as YAML", maxYAML>>10)
	}
	var flow int       // brackets and braces that are open
	var columns []int  // where the open lists and mappings of block style begin
	var inside [][]int // columns outside of each open bracket
	for _, t := range lexer.Tokenize(string(text)) {
		column := -1
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
			inside, columns = append(inside, columns), nil
		case token.SequenceEndType, token.MappingEndType:
			if n := len(inside); n > 0 {
				flow, columns, inside = flow-1, inside[n-1], inside[:n-1]
			}
		case token.CollectEntryType: // the comma ends what began within the entry
			if flow > 0 {
				columns = nil
			}
		case token.SequenceEntryType, token.MappingKeyType:
			column = t.Position.Column
		case token.MappingValueType: // begins where its key does
			if column = t.Position.Column; t.Prev != nil && t.Prev.Position.Line == t.Position.Line {
				column = t.Prev.Position.Column
			}
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType:
			return fmt.Errorf(":%d: %q: anchors, aliases, merge keys and tags are not read: write out what is meant", t.Position.Line, t.Value)
		}
		if column >= 0 {
			for len(columns) > 0 && columns[len(columns)-1] >= column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, column)
		}
		deep := flow + len(columns)
		for _, c := range inside {
			deep += len(c)
		}
		if deep > maxDepth {
			return fmt.Errorf(":%d: lists and mappings more than %d deep", t.Position.Line, maxDepth)
		}
	}
	return nil
}

package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is found in the text before the text is split.
type addedToken struct {
	id      int32
	content string
	special bool // Decode leaves it out if skipSpecial is set
	// normalized tokens are searched in the normalised text, others in the original text.
	normalized     bool
	lstrip, rstrip bool // white space on the left, on the right belongs to the token
	singleWord     bool // found only if there is no word character beside it
}

// The largest lengths in bytes of an added token, and of all together. The trie takes about fifty bytes for each byte.
const (
	maxAddedToken  = 16 << 10
	maxAddedTokens = 4 << 20
)

// checkAdded returns an error if added tokens, in the spelling that is searched, are too long.
func checkAdded(tokens []addedToken) error {
	all := 0
	for _, a := range tokens {
		if len(a.content) > maxAddedToken {
			return fmt.Errorf("token %d, %.40q…, is %d bytes long: an added token has %d at most", a.id, a.content, len(a.content), maxAddedToken)
		}
		if all += len(a.content); all > maxAddedTokens {
			return fmt.Errorf("with token %d, %.40q, they are longer than %d MiB together, the most that is read", a.id, a.content, maxAddedTokens>>20)
		}
	}
	return nil
}

// addedSet finds the leftmost added token in a text, and the longest one there, with a trie of bytes.
type addedSet struct {
	nodes  []addedNode
	first  [256]bool // bytes that begin a token
	single int       // the only such byte, or −1
}

type addedNode struct {
	children []addedEdge
	token    *addedToken // the token that ends here
}

type addedEdge struct {
	b    byte
	node int32
}

func newAddedSet(tokens []addedToken) *addedSet {
	s := &addedSet{nodes: make([]addedNode, 1), single: -1}
	for i := range tokens {
		content := tokens[i].content
		if content == "" {
			continue
		}
		at := int32(0)
		for k := 0; k < len(content); k++ {
			at = s.child(at, content[k], true)
		}
		if s.nodes[at].token == nil {
			s.nodes[at].token = &tokens[i]
		}
		s.first[content[0]] = true
	}
	if len(s.nodes) == 1 {
		return nil
	}
	if len(s.nodes[0].children) == 1 {
		s.single = int(s.nodes[0].children[0].b)
	}
	return s
}

func (s *addedSet) child(at int32, b byte, add bool) int32 {
	for _, e := range s.nodes[at].children {
		if e.b == b {
			return e.node
		}
	}
	if !add {
		return -1
	}
	n := int32(len(s.nodes))
	s.nodes = append(s.nodes, addedNode{})
	s.nodes[at].children = append(s.nodes[at].children, addedEdge{b, n})
	return n
}

// find returns the next token at or after byte from; tok is nil if there is none.
func (s *addedSet) find(text string, from int) (start, end int, tok *addedToken) {
	for i := from; i < len(text); i++ {
		if s.single >= 0 {
			k := strings.IndexByte(text[i:], byte(s.single))
			if k < 0 {
				break
			}
			i += k
		} else if !s.first[text[i]] {
			continue
		}
		at := int32(0)
		for k := i; k < len(text); k++ {
			if at = s.child(at, text[k], false); at < 0 {
				break
			}
			if t := s.nodes[at].token; t != nil {
				tok, end = t, k+1
			}
		}
		if tok != nil {
			return i, end, tok
		}
	}
	return 0, 0, nil
}

// cut calls token for each added token and text for each stretch between them, in order. start is the stretch's offset.
func (s *addedSet) cut(str string, text func(s string, start int) error, token func(id int32)) error {
	done := 0
	for from := 0; s != nil; {
		start, end, tok := s.find(str, from)
		if tok == nil {
			break
		}
		from = end
		if tok.singleWord && (endsInWord(str[:start]) || beginsWithWord(str[end:])) {
			continue
		}
		if tok.lstrip {
			start = max(done, len(strings.TrimRightFunc(str[:start], unicode.IsSpace)))
		}
		if tok.rstrip {
			end = len(str) - len(strings.TrimLeftFunc(str[end:], unicode.IsSpace))
		}
		if start > done {
			if err := text(str[done:start], done); err != nil {
				return err
			}
		}
		token(tok.id)
		done = end
	}
	if done < len(str) {
		return text(str[done:], done)
	}
	return nil
}

func endsInWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func beginsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord is \w of Unicode's regular expressions (UTS 18, annex C).
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc,
		unicode.Join_Control)
}

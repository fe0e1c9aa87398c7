package datasets

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Names of marks that mean the same in every task. An audit asks of one of them, the first that a sample has in this order,
// whether it was kept for the answer: evidence and value as a whole, answer in the place that is read most.
const (
	MarkEvidence    = "evidence"    // passages that the row names itself
	MarkValue       = "value"       // what is asked for, where the task has hidden it
	MarkAnswer      = "answer"      // places where an expected answer stands verbatim
	MarkNeedle      = "needle"      // the sentences that hold the value
	MarkInstruction = "instruction" // what to do, where it stands before the text that it is about
	MarkQuestion    = "question"
)

// mostPlaces is in how many places an answer may stand. One that is everywhere in a text, as a
// common word, is no passage's.
const mostPlaces = 16

// mostPassages is how many passages a row may name, and how many of its answers are looked for.
const mostPassages = 64

// Passage is a mark in tokens: half-open, counted through IDs and then Question.
type Passage struct {
	Name     string
	From, To int
}

// Passages turns the marks into tokens: all that hold a part of the passage. Where the tokens' text
// is not the prompt's, as under a tokenizer that rewrites characters, that is an error.
func (s Sample) Passages(m Model) ([]Passage, error) {
	if len(s.Marks) == 0 || len(s.IDs) == 0 {
		return nil, nil
	}
	places, err := s.places(m)
	if err != nil {
		return nil, err
	}
	var list []Passage
	for _, k := range s.Marks {
		if k.From < 0 || k.To > len(s.Prompt) || k.From >= k.To {
			return nil, fmt.Errorf("%s is marked at bytes %d to %d of a prompt of %d", k.Name, k.From, k.To, len(s.Prompt))
		}
		p := Passage{Name: k.Name, From: -1}
		for i, at := range places {
			if at[0] < k.To && at[1] > k.From {
				if p.From < 0 {
					p.From = i
				}
				p.To = i + 1
			}
		}
		if p.From < 0 {
			return nil, fmt.Errorf("%s, bytes %d to %d of the prompt, is in no token", k.Name, k.From, k.To)
		}
		list = append(list, p)
	}
	return list, nil
}

// places returns for each token the bytes of Prompt that it makes, half-open. A token that the
// tokenizer puts beside the text has none. Byte-level vocabularies spell each token's bytes;
// elsewhere a token is held to its decoded text, and one that is only a part of a character, if it
// does not spell its byte, has all of it.
func (s Sample) places(m Model) ([][2]int, error) {
	var places [][2]int
	at := 0
	for _, ids := range [][]int32{s.IDs, s.Question} {
		pieces := m.pieces(ids)
		held := at        // pieces so far end here: a text behind it comes with a later one
		var waiting []int // tokens of which it is not yet known what character they are a part of
		for i, id := range ids {
			piece, rest, from := pieces[i], s.Prompt[at:], at
			spelled, ok := bytesOf(m.Tokenizer, id)
			if held < at {
				piece = strings.TrimPrefix(piece, s.Prompt[held:at])
			}
			switch {
			case ok && strings.HasPrefix(rest, spelled):
				at += len(spelled)
			case piece == "":
			case strings.HasPrefix(rest, piece):
				at += len(piece)
			case piece[0] == ' ' && strings.HasPrefix(rest, piece[1:]): // a space put before the text
				at += len(piece) - 1
			case strings.HasPrefix(rest, " "+piece): // a space that decoding leaves out
				at += len(piece) + 1
			case m.Tokenizer.Decode([]int32{id}, true) == "": // a special token put before or behind the text
			default:
				return nil, fmt.Errorf("the tokens' text departs from the prompt at byte %d: token %d is %q, the prompt goes on %q", at, len(places), piece, head(rest))
			}
			if pieces[i] == "" && from == at {
				waiting = append(waiting, len(places))
			}
			places = append(places, [2]int{from, at})
			if pieces[i] != "" {
				for _, k := range waiting {
					places[k] = [2]int{from, at}
				}
				held, waiting = at, nil
			}
		}
	}
	if rest := strings.TrimSpace(s.Prompt[at:]); rest != "" {
		return nil, fmt.Errorf("the prompt goes on behind its last token: %q", head(rest))
	}
	return places, nil
}

// bytesOf are the bytes of a token by its spelling: "<0x0A>" in vocabularies with byte fallback, else a
// character for each byte, as byte-level vocabularies have it (GPT-2). What is spelled in no such way
// has none.
func bytesOf(t Tokenizer, id int32) (string, bool) {
	spelling, ok := t.Token(id)
	if !ok {
		return "", false
	}
	if len(spelling) == 6 && strings.HasPrefix(spelling, "<0x") && spelling[5] == '>' {
		if b, err := strconv.ParseUint(spelling[3:5], 16, 8); err == nil {
			return string([]byte{byte(b)}), true
		}
	}
	list := make([]byte, 0, len(spelling))
	for _, r := range spelling {
		b, ok := byteLevel()[r]
		if !ok {
			return "", false
		}
		list = append(list, b)
	}
	return string(list), len(list) > 0
}

// byteLevel is the byte that each character of a byte-level vocabulary stands for: printable Latin-1
// characters for themselves, those from U+0100 on for the other bytes in their order.
var byteLevel = sync.OnceValue(func() map[rune]byte {
	table, next := map[rune]byte{}, rune(0x100)
	for b := range 256 {
		r := rune(b)
		if !(r >= '!' && r <= '~' || r >= 0xA1 && r <= 0xAC || r >= 0xAE) {
			r = next
			next++
		}
		table[r] = byte(b)
	}
	return table
})

// head is the beginning of a text, for an error.
func head(text string) string {
	for i := range text {
		if i >= 20 {
			return text[:i] + "…"
		}
	}
	return text
}

// pieces are the texts of tokens.
func (m Model) pieces(ids []int32) []string {
	if m.Pieces != nil {
		return m.Pieces(ids)
	}
	pieces := make([]string, len(ids))
	for i, id := range ids {
		pieces[i] = m.Tokenizer.Decode([]int32{id}, false)
	}
	return pieces
}

// mark marks bytes of Prompt.
func (s *Sample) mark(name string, from, to int) {
	if from < to {
		s.Marks = append(s.Marks, Mark{Name: name, From: from, To: to})
	}
}

// markText marks the one place in which a text, without the white space around it, stands within
// bytes of Prompt; it says whether there is one, and only one.
func (s *Sample) markText(name, text string, from, to int) bool {
	text = strings.TrimSpace(text)
	within := s.Prompt[from:to]
	if text == "" || strings.Count(within, text) != 1 {
		return false
	}
	at := from + strings.Index(within, text)
	s.mark(name, at, at+len(text))
	return true
}

// markAnswers marks all places within bytes of Prompt where an expected answer stands verbatim, as
// words of its own. Answers that are names of classes are none of the text's.
func (s *Sample) markAnswers(from, to int) {
	if len(s.Classes) > 0 {
		return
	}
	for i, answer := range s.Answers[:min(len(s.Answers), mostPassages)] {
		answer = strings.TrimSpace(answer)
		if answer == "" || containsTrimmed(s.Answers[:i], answer) {
			continue
		}
		var places []int
		for at := from; ; {
			k := strings.Index(s.Prompt[at:to], answer)
			if k < 0 {
				break
			}
			k += at
			at = k + len(answer)
			if wordsApart(s.Prompt[:k], answer) && wordsApart(answer, s.Prompt[at:]) {
				places = append(places, k)
			}
		}
		if len(places) > mostPlaces {
			continue
		}
		for _, k := range places {
			s.mark(MarkAnswer, k, k+len(answer))
		}
	}
}

func containsTrimmed(list []string, text string) bool {
	for _, x := range list {
		if strings.TrimSpace(x) == text {
			return true
		}
	}
	return false
}

// wordsApart says whether two texts that touch are words apart. Scripts without spaces between words
// count as apart.
func wordsApart(a, b string) bool {
	word := func(r rune) bool { return r < 0x2E80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	return a == "" || b == "" || !word(last) || !word(first)
}

// markEvidence marks the passages that a row names itself, within bytes of Prompt.
func (s *Sample) markEvidence(list []string, from, to int) {
	for i, text := range list {
		if !s.markText(MarkEvidence, text, from, to) {
			s.note("passage %d of the evidence does not stand once in the prompt as it was rendered", i+1)
		}
	}
}

// checkEvidence refuses a passage that does not stand once in a row's texts.
func checkEvidence(list []string, texts ...string) error {
	if len(list) > mostPassages {
		return fmt.Errorf(`field "evidence" has %d passages: want at most %d`, len(list), mostPassages)
	}
	for i, e := range list {
		e = strings.TrimSpace(e)
		count := 0
		for _, t := range texts {
			count += strings.Count(t, e)
		}
		switch {
		case e == "":
			return fmt.Errorf(`field "evidence": passage %d is empty`, i+1)
		case count == 0:
			return fmt.Errorf(`field "evidence": passage %d, %q, does not stand in the text`, i+1, head(e))
		case count > 1:
			return fmt.Errorf(`field "evidence": passage %d, %q, stands in the text %d times: give more of what is around it`, i+1, head(e), count)
		}
	}
	return nil
}

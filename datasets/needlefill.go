package datasets

import (
	"cmp"
	"fmt"
	"sort"
	"strings"
	"unicode"
)

// fill finds a shortened sentence that makes the prompt exactly length tokens long, where
// left tokens are missing after so many whole sentences. It tries the text that follows,
// shortened by words; then text from other sentences nearby, also after fewer whole ones;
// then the same cut within words, then without a period, and last periods alone. It returns
// the number of whole sentences and the text after them.
func (p *needlePrompt) fill(length, whole, left int) (sentences int, partial string, err error) {
	if left == 0 {
		return whole, "", nil
	}
	// Candidates are counted on the end of the text alone, and on the whole only when they
	// fit there.
	const back, ahead = 6, 4
	from := max(0, whole-back-4)
	local := func(sentences int, partial string) (int, error) {
		text, _ := p.assemble(from, sentences, partial)
		return p.count(text)
	}
	target, err := local(whole, "")
	if err != nil {
		return 0, "", err
	}
	target += left
	misses, missed, inRow := 0, 0, 0
	// A piece must be long enough to replace the dropped sentences and to fill the rest.
	enough := len(p.hay.sentences(p.first+max(from, whole-back), p.first+whole+1)) + 64
	for _, cuts := range []func(sentence string) []string{byWords, byRunes, byRunesBare, periods} {
		for sentences := whole; sentences >= max(from, whole-back); sentences-- {
			for next := sentences; next <= whole+ahead; next++ {
				to := next + 1
				for len(p.hay.sentences(p.first+next, p.first+to)) < enough {
					to++
				}
				candidates := cuts(p.hay.sentences(p.first+next, p.first+to))
				start := sort.Search(len(candidates), func(i int) bool {
					n, e := local(sentences, candidates[i])
					err = cmp.Or(err, e)
					return e != nil || n >= target
				})
				if err != nil {
					return 0, "", err
				}
				for _, partial := range candidates[max(0, start-2):] {
					n, err := local(sentences, partial)
					if err != nil {
						return 0, "", err
					}
					if n > target+4 {
						break
					}
					if n != target {
						continue
					}
					text, _ := p.assemble(0, sentences, partial)
					ids, err := p.model.encode(text)
					if err != nil {
						return 0, "", err
					}
					if len(ids) == length {
						return sentences, partial, nil
					}
					// A single candidate may have another count in the whole text
					// than at its end. When three in a row differ by the same
					// number, all do, and the target is corrected.
					switch diff := length - len(ids); {
					case diff != missed:
						missed, inRow = diff, 1
					case inRow < 2:
						inRow++
					default:
						target, missed, inRow = target+diff, 0, 0
					}
					if misses++; misses > 100 {
						return 0, "", fmt.Errorf("a prompt of exactly %d tokens can't be made: "+
							"the tokenizer counts the end of the text apart and as part of it differently", length)
					}
				}
			}
		}
	}
	return 0, "", fmt.Errorf("a prompt of exactly %d tokens can't be made: no end of the haystack %s fits", length, p.hay.name)
}

// byWords returns a sentence's beginnings of one word, two words and so on, each ended by a
// period.
func byWords(sentence string) []string {
	var list []string
	start := len(sentence) - len(strings.TrimLeftFunc(sentence, unicode.IsSpace))
	for i := start; i < len(sentence); {
		n := strings.IndexFunc(sentence[i:], unicode.IsSpace)
		if n < 0 {
			n = len(sentence) - i
		}
		i += n
		list = appendEnded(list, sentence[:i], ".")
		i += len(sentence[i:]) - len(strings.TrimLeftFunc(sentence[i:], unicode.IsSpace))
	}
	return list
}

// byRunes returns a sentence's beginnings of every number of characters, each ended by a
// period.
func byRunes(sentence string) []string { return beginnings(sentence, ".") }

// byRunesBare returns the same without the period.
func byRunesBare(sentence string) []string { return beginnings(sentence, "") }

// periods returns rows of periods, whatever the sentence.
func periods(string) []string {
	list := make([]string, 32)
	for i := range list {
		list[i] = strings.Repeat(".", i+1)
	}
	return list
}

func beginnings(sentence, period string) []string {
	var list []string
	for i := range sentence {
		list = appendEnded(list, sentence[:i], period)
	}
	return appendEnded(list, sentence, period)
}

// appendEnded adds a cut sentence with a period in place of the spaces and marks that it ends
// in.
func appendEnded(list []string, cut, period string) []string {
	cut = strings.TrimRightFunc(cut, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsPunct(r) })
	if strings.TrimSpace(cut) == "" {
		return list
	}
	return append(list, cut+period)
}

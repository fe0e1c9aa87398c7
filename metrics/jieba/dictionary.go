package jieba

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// dictionary holds the logarithm of each word's frequency. A prefix of a word
// that is not a word itself has the value prefixOnly, so that a search along the
// text knows when to stop.
type dictionary struct {
	logs     map[string]float64
	logTotal float64
}

// prefixOnly differs from every logarithm, because frequencies are at least 1.
const prefixOnly = -1

// parseDictionary reads lines of a word, a frequency and any further fields,
// separated by single spaces. A word of frequency 0 does not count as a word.
// Errors name the line.
func parseDictionary(name string, data []byte) (dictionary, error) {
	d := dictionary{logs: make(map[string]float64, len(data)/10)}
	logOf := map[int64]float64{}
	var total int64
	line := 0
	for raw := range bytes.Lines(data) {
		line++
		fail := func(why string) error {
			return fmt.Errorf("%s:%d: %s: %q", name, line, why, clip(string(raw)))
		}
		if !utf8.Valid(raw) {
			return dictionary{}, fail("invalid UTF-8")
		}
		fields := strings.Split(strings.Trim(string(raw), " \t\n\r\v\f"), " ")
		if len(fields) < 2 || fields[0] == "" {
			return dictionary{}, fail("a dictionary line is a word, a space and a frequency")
		}
		word := fields[0]
		freq, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || freq < 0 {
			return dictionary{}, fail(fmt.Sprintf("%q is no frequency", fields[1]))
		}
		if total += freq; total < 0 || total > 1<<53 {
			return dictionary{}, fail("the frequencies add up to more than 2^53")
		}
		value := float64(prefixOnly)
		if freq > 0 {
			l, ok := logOf[freq]
			if !ok {
				l = logInt(freq)
				logOf[freq] = l
			}
			value = l
		}
		d.logs[word] = value
		for i := range word {
			if i == 0 {
				continue
			}
			if _, ok := d.logs[word[:i]]; !ok {
				d.logs[word[:i]] = prefixOnly
			}
		}
	}
	if total == 0 {
		return dictionary{}, fmt.Errorf("%s: the dictionary has no words", name)
	}
	d.logTotal = logInt(total)
	return d, nil
}

// clip shortens what an error quotes.
func clip(s string) string {
	s = strings.TrimRight(s, "\r\n")
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// has reports whether word is in the dictionary with a frequency.
func (d dictionary) has(word string) bool {
	l, ok := d.logs[word]
	return ok && l != prefixOnly
}

// path returns, for every byte offset at which a character of block starts, the
// end of the word that starts there on the most probable path from there to the
// end of the block. Of equally probable words it takes the longer one. A
// character that starts no word is a word by itself, as probable as one seen once.
func (d dictionary) path(block string) (ends []int) {
	ends = make([]int, len(block))
	best := make([]float64, len(block)+1) // log probability from here to the end
	for at := len(block); at > 0; {
		_, size := utf8.DecodeLastRuneInString(block[:at])
		at -= size
		best[at], ends[at] = math.Inf(-1), 0
		for end := at; end < len(block); {
			end += firstLen(block[end:])
			l, ok := d.logs[block[at:end]]
			if !ok {
				break
			}
			if l == prefixOnly {
				continue
			}
			// The order of operations is the original's, so that the same paths tie.
			if p := l - d.logTotal + best[end]; p >= best[at] {
				best[at], ends[at] = p, end
			}
		}
		if ends[at] == 0 {
			best[at], ends[at] = 0-d.logTotal+best[at+size], at+size
		}
	}
	return ends
}

// logInt is the natural logarithm of n ≥ 1, rounded correctly. For one frequency
// in sixty Go's math.Log is off by one unit in the last place, and the C library
// that Python uses is not. That decides between paths whose probabilities differ
// only by rounding.
//
// log n = k·log 2 + 2·atanh((m-1)/(m+1)) for n = m·2^k, in pairs of doubles.
func logInt(n int64) float64 {
	m, k := math.Frexp(float64(n)) // m in [1/2, 1)
	if m < math.Sqrt2/2 {
		m *= 2
		k--
	}
	// s = (m-1)/(m+1). m-1 is exact; m+1 is hi + lo.
	num := m - 1
	hi := m + 1
	lo := m - (hi - 1)
	s := num / hi
	sLow := (math.FMA(-s, hi, num) - s*lo) / hi
	// s² as a pair, and Σ s^2i/(2i+1) from the smallest term up.
	s2 := s * s
	s2Low := math.FMA(s, s, -s2) + 2*s*sLow
	sum := pair{}
	for i := 20; i >= 1; i-- {
		term := pair{hi: 1 / float64(2*i+1)}
		term.lo = -math.FMA(term.hi, float64(2*i+1), -1) / float64(2*i+1)
		sum = term.add(sum.mul(pair{s2, s2Low}))
	}
	sum = pair{hi: 1}.add(sum.mul(pair{s2, s2Low}))
	atanh := sum.mul(pair{s, sLow})
	ln2 := pair{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}
	result := ln2.mul(pair{hi: float64(k)}).add(pair{2 * atanh.hi, 2 * atanh.lo})
	return result.hi
}

// pair is an unevaluated sum of two doubles, |lo| ≤ ulp(hi)/2.
type pair struct{ hi, lo float64 }

func (a pair) add(b pair) pair {
	s := a.hi + b.hi
	v := s - a.hi
	e := (a.hi - (s - v)) + (b.hi - v) + a.lo + b.lo
	hi := s + e
	return pair{hi, e - (hi - s)}
}

func (a pair) mul(b pair) pair {
	p := a.hi * b.hi
	e := math.FMA(a.hi, b.hi, -p) + float64(a.hi*b.lo) + float64(a.lo*b.hi)
	hi := p + e
	return pair{hi, e - (hi - p)}
}

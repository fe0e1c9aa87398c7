// Package jieba cuts Chinese text into words exactly as the Python package
// jieba 0.42.1 does in its default mode: along the most probable path through a
// dictionary, and by a hidden Markov model for the runs of single characters on
// that path. [Segmenter.Cut] is the place to start reading.
//
// The code is our own. The dictionary and the model's tables are jieba's (MIT
// licence) and are not shipped: [Open] reads them from the package's source
// archive, its wheel or an unpacked copy.
//
//	pip download --no-deps --no-binary :all: jieba==0.42.1
package jieba

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// A Segmenter cuts text into words. It may be used from several goroutines.
type Segmenter struct {
	dict        dictionary
	model       hmm
	fingerprint string
}

// Fingerprint is the sha256, in hexadecimal, of the dictionary and the three
// tables in the order of [Files]. Segmenters with equal fingerprints cut alike.
func (s *Segmenter) Fingerprint() string { return s.fingerprint }

// Cut returns the words of text in order. White space and punctuation are words
// of their own, so the words joined are the text.
func (s *Segmenter) Cut(text string) []string {
	var words []string
	for len(text) > 0 {
		n := span(text, inWord)
		if n > 0 {
			words = s.cutBlock(words, text[:n])
			text = text[n:]
			continue
		}
		// Between words every character stands alone, except that \r\n stays together.
		n = 2
		if !strings.HasPrefix(text, "\r\n") {
			n = firstLen(text)
		}
		words = append(words, text[:n])
		text = text[n:]
	}
	return words
}

// cutBlock cuts a run of word characters along the most probable path. A run of
// one-character words goes to the model, unless it is a word of the dictionary:
// the path rejected that word, so the characters stay apart.
func (s *Segmenter) cutBlock(words []string, block string) []string {
	ends := s.dict.path(block)
	single := -1 // where the current run of single characters starts
	flush := func(end int) {
		if single < 0 {
			return
		}
		run := block[single:end]
		single = -1
		switch {
		case len(run) == firstLen(run):
			words = append(words, run)
		case s.dict.has(run):
			for len(run) > 0 {
				n := firstLen(run)
				words = append(words, run[:n])
				run = run[n:]
			}
		default:
			words = s.cutUnknown(words, run)
		}
	}
	for at := 0; at < len(block); at = ends[at] {
		if ends[at]-at == firstLen(block[at:]) {
			if single < 0 {
				single = at
			}
			continue
		}
		flush(at)
		words = append(words, block[at:ends[at]])
	}
	flush(len(block))
	return words
}

// cutUnknown cuts a run that is not in the dictionary: Han characters by the
// model, Latin words and numbers at their borders. What lies between these stays
// together.
func (s *Segmenter) cutUnknown(words []string, run string) []string {
	for len(run) > 0 {
		if n := span(run, isHan); n > 0 {
			words = s.model.cut(words, run[:n])
			run = run[n:]
			continue
		}
		other := run[:span(run, func(r rune) bool { return !isHan(r) })]
		run = run[len(other):]
		for len(other) > 0 {
			n := latin(other)
			if n == 0 {
				n = span(other, func(r rune) bool { return !isLatin(r) })
			}
			words = append(words, other[:n])
			other = other[n:]
		}
	}
	return words
}

// latin is the length of [a-zA-Z0-9]+(\.\d+)?%? at the start of s.
func latin(s string) int {
	n := span(s, isLatin)
	if n == 0 {
		return 0
	}
	if strings.HasPrefix(s[n:], ".") {
		if digits := span(s[n+1:], pystr.IsDigit); digits > 0 {
			n += 1 + digits
		}
	}
	if strings.HasPrefix(s[n:], "%") {
		n++
	}
	return n
}

// span is the length in bytes of the run of characters at the start of s that
// are in class.
func span(s string, class func(rune) bool) int {
	if n := strings.IndexFunc(s, func(r rune) bool { return !class(r) }); n >= 0 {
		return n
	}
	return len(s)
}

// firstLen is the length in bytes of the first character of s.
func firstLen(s string) int {
	for i := range s {
		if i > 0 {
			return i
		}
	}
	return len(s)
}

func isHan(r rune) bool { return '\u4e00' <= r && r <= '\u9fd5' }

func isLatin(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// inWord reports whether the dictionary is used for r.
func inWord(r rune) bool {
	return isHan(r) || isLatin(r) || strings.ContainsRune("+#&._%-", r)
}

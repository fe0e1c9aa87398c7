// Package porter is Porter's stemmer (M. F. Porter, An algorithm for suffix
// stripping, Program 14.3, 1980) with the extensions that NLTK's PorterStemmer
// makes by default. Published needle grids use it for their ROUGE scores. [Stem]
// applies the steps of the paper in order.
package porter

import "strings"

// irregular words skip the algorithm.
var irregular = map[string]string{
	"sky": "sky", "skies": "sky",
	"dying": "die", "lying": "lie", "tying": "tie",
	"news":    "news",
	"innings": "inning", "inning": "inning",
	"outings": "outing", "outing": "outing",
	"cannings": "canning", "canning": "canning",
	"howe":    "howe",
	"proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
}

// Stem returns the stem of a word of lower-case ASCII letters and digits.
func Stem(word string) string {
	if stem, ok := irregular[word]; ok {
		return stem
	}
	if len(word) <= 2 {
		return word
	}
	return dropLL(dropE(step4(step3(step2(finalY(pastAndGerund(plural(word))))))))
}

// consonants reports for each letter whether it is a consonant: not a, e, i, o
// or u, and not y after a consonant. Digits count as consonants.
func consonants(word string) []bool {
	is := make([]bool, len(word))
	for i := range len(word) {
		switch word[i] {
		case 'a', 'e', 'i', 'o', 'u':
		case 'y':
			is[i] = i == 0 || !is[i-1]
		default:
			is[i] = true
		}
	}
	return is
}

// measure is Porter's m: how often a vowel is followed by a consonant.
func measure(stem string) int {
	is := consonants(stem)
	m := 0
	for i := 1; i < len(is); i++ {
		if is[i] && !is[i-1] {
			m++
		}
	}
	return m
}

func hasVowel(stem string) bool {
	for _, consonant := range consonants(stem) {
		if !consonant {
			return true
		}
	}
	return false
}

// endsDouble is Porter's *d: the stem ends in the same consonant twice.
func endsDouble(stem string) bool {
	n := len(stem)
	return n >= 2 && stem[n-1] == stem[n-2] && consonants(stem)[n-1]
}

// endsCVC is Porter's *o: the stem ends in consonant, vowel, consonant, and the
// last is not w, x or y. By extension, a stem of vowel and consonant counts too.
func endsCVC(stem string) bool {
	is := consonants(stem)
	n := len(stem)
	if n == 2 {
		return !is[0] && is[1]
	}
	return n >= 3 && is[n-3] && !is[n-2] && is[n-1] && !strings.ContainsRune("wxy", rune(stem[n-1]))
}

// rule replaces a suffix.
type rule struct{ suffix, with string }

// apply uses the first rule whose suffix the word has, and only if the rest of
// the word has a measure above m.
func apply(word string, m int, rules []rule) string {
	for _, r := range rules {
		if stem, ok := strings.CutSuffix(word, r.suffix); ok {
			if measure(stem) > m {
				return stem + r.with
			}
			return word
		}
	}
	return word
}

// plural is step 1a.
func plural(word string) string {
	switch {
	case strings.HasSuffix(word, "ies") && len(word) == 4:
		return word[:len(word)-1] // dies → die, by extension
	case strings.HasSuffix(word, "sses"), strings.HasSuffix(word, "ies"):
		return word[:len(word)-2]
	case strings.HasSuffix(word, "ss"):
		return word
	}
	return strings.TrimSuffix(word, "s")
}

// pastAndGerund is step 1b.
func pastAndGerund(word string) string {
	if stem, ok := strings.CutSuffix(word, "ied"); ok { // an extension
		if len(word) == 4 {
			return stem + "ie"
		}
		return stem + "i"
	}
	if stem, ok := strings.CutSuffix(word, "eed"); ok {
		if measure(stem) > 0 {
			return stem + "ee"
		}
		return word
	}
	stem, ok := strings.CutSuffix(word, "ed")
	if !ok || !hasVowel(stem) {
		if stem, ok = strings.CutSuffix(word, "ing"); !ok || !hasVowel(stem) {
			return word
		}
	}
	last := stem[len(stem)-1] // there is one: the stem has a vowel
	switch {
	case strings.HasSuffix(stem, "at"), strings.HasSuffix(stem, "bl"), strings.HasSuffix(stem, "iz"):
		return stem + "e"
	case endsDouble(stem):
		if last == 'l' || last == 's' || last == 'z' {
			return stem
		}
		return stem[:len(stem)-1]
	case measure(stem) == 1 && endsCVC(stem):
		return stem + "e"
	}
	return stem
}

// finalY is step 1c as extended: y becomes i after a consonant that is not the
// word's first letter.
func finalY(word string) string {
	if stem, ok := strings.CutSuffix(word, "y"); ok && len(stem) > 1 && consonants(stem)[len(stem)-1] {
		return stem + "i"
	}
	return word
}

func step2(word string) string {
	// By extension, -alli becomes -al first, and step 2 starts again.
	if stem, ok := strings.CutSuffix(word, "alli"); ok && measure(stem) > 0 {
		return step2(stem + "al")
	}
	// The l of -logi belongs to the stem, so that geo- and theo- have a measure above 0.
	if stem, ok := strings.CutSuffix(word, "ogi"); ok && strings.HasSuffix(stem, "l") {
		if measure(stem) > 0 {
			return stem + "og"
		}
		return word
	}
	return apply(word, 0, []rule{
		{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
		{"bli", "ble"}, {"alli", "al"}, {"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"},
		{"ization", "ize"}, {"ation", "ate"}, {"ator", "ate"}, {"alism", "al"}, {"iveness", "ive"},
		{"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"}, {"iviti", "ive"}, {"biliti", "ble"},
		{"fulli", "ful"},
	})
}

func step3(word string) string {
	return apply(word, 0, []rule{
		{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""},
	})
}

func step4(word string) string {
	if stem, ok := strings.CutSuffix(word, "ion"); ok {
		if measure(stem) > 1 && (strings.HasSuffix(stem, "s") || strings.HasSuffix(stem, "t")) {
			return stem
		}
		return word
	}
	return apply(word, 1, []rule{
		{"al", ""}, {"ance", ""}, {"ence", ""}, {"er", ""}, {"ic", ""}, {"able", ""}, {"ible", ""}, {"ant", ""},
		{"ement", ""}, {"ment", ""}, {"ent", ""}, {"ou", ""}, {"ism", ""}, {"ate", ""}, {"iti", ""}, {"ous", ""},
		{"ive", ""}, {"ize", ""},
	})
}

// dropE is step 5a.
func dropE(word string) string {
	if stem, ok := strings.CutSuffix(word, "e"); ok {
		if m := measure(stem); m > 1 || m == 1 && !endsCVC(stem) {
			return stem
		}
	}
	return word
}

// dropLL is step 5b.
func dropLL(word string) string {
	if strings.HasSuffix(word, "ll") && measure(word[:len(word)-1]) > 1 {
		return word[:len(word)-1]
	}
	return word
}

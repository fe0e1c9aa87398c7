package instructions

import (
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pyre"
	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// maker reads an instruction's parameters and returns its check.
type maker func(p *parameters) (check func(answer string) (bool, error), err error)

// makers are the instructions by ID.
var makers = map[string]maker{
	"detectable_format:number_bullet_lists":         bullets,
	"detectable_format:number_highlighted_sections": highlights,
	"detectable_format:multiple_sections":           sections,
	"detectable_format:constrained_response":        plain(constrained),
	"detectable_format:json_format":                 plain(isJSON),
	"detectable_format:title":                       title,
	"length_constraints:number_paragraphs":          paragraphs,
	"length_constraints:nth_paragraph_first_word":   nthParagraph,
	"length_constraints:number_words":               words,
	"keywords:existence":                            existence,
	"keywords:frequency":                            frequency,
	"keywords:forbidden_words":                      forbidden,
	"keywords:letter_frequency":                     letters,
	"detectable_content:number_placeholders":        placeholders,
	"detectable_content:postscript":                 postscript,
	"combination:two_responses":                     plain(twoResponses),
	"combination:repeat_prompt":                     repeated,
	"startend:end_checker":                          ending,
	"startend:quotation":                            plain(quoted),
	"punctuation:no_comma":                          plain(func(answer string) bool { return !strings.Contains(answer, ",") }),
}

// plain is a check without parameters, which cannot fail.
func plain(check func(string) bool) maker {
	return func(*parameters) (func(string) (bool, error), error) {
		return func(answer string) (bool, error) { return check(answer), nil }, nil
	}
}

var (
	starBullet = pyre.Must(`^\s*\*[^\*].*$`, pyre.Flags{Multiline: true})
	dashBullet = pyre.Must(`^\s*-.*$`, pyre.Flags{Multiline: true})
)

func bullets(p *parameters) (func(string) (bool, error), error) {
	n, err := p.count("num_bullets", 0)
	return func(answer string) (bool, error) {
		text := []rune(answer)
		stars, err := starBullet.Find(text)
		if err != nil {
			return false, err
		}
		dashes, err := dashBullet.Find(text)
		return len(stars)+len(dashes) == n, err
	}, err
}

var (
	highlight = pyre.Must(`\*[^\n\*]*\*`, pyre.Flags{})
	boldface  = pyre.Must(`\*\*[^\n\*]*\*\*`, pyre.Flags{})
)

func highlights(p *parameters) (func(string) (bool, error), error) {
	least, err := p.count("num_highlights", 0)
	return func(answer string) (bool, error) {
		text := []rune(answer)
		n := 0
		for _, kind := range []*pyre.Pattern{highlight, boldface} {
			found, err := kind.Find(text)
			if err != nil {
				return false, err
			}
			for _, f := range found {
				if pystr.Strip(strings.Trim(string(text[f[0]:f[1]]), "*")) != "" {
					n++
				}
			}
		}
		return n >= least, nil
	}, err
}

func sections(p *parameters) (func(string) (bool, error), error) {
	splitter, err := p.text("section_spliter")
	if err != nil {
		return nil, err
	}
	least, err := p.count("num_sections", 0)
	if err != nil {
		return nil, err
	}
	border, err := pattern("section_spliter", `\s?`+splitter+`\s?\d+\s?`, pyre.Flags{})
	return func(answer string) (bool, error) {
		found, err := border.Find([]rune(answer))
		// Python's split also returns what each group of the pattern matched.
		return len(found)*(1+border.Groups()) >= least, err
	}, err
}

var divider = pyre.Must(`\s?\*\*\*\s?`, pyre.Flags{})

func paragraphs(p *parameters) (func(string) (bool, error), error) {
	n, err := p.count("num_paragraphs", 0)
	return func(answer string) (bool, error) {
		parts, err := divider.Split([]rune(answer))
		if err != nil {
			return false, err
		}
		full, ok := blankAtEnds(parts)
		return ok && len(full) == n, nil
	}, err
}

// blankAtEnds returns the parts that are not blank. It is not ok if one between two others is.
func blankAtEnds(parts []string) (full []string, ok bool) {
	for i, part := range parts {
		if pystr.Strip(part) != "" {
			full = append(full, part)
		} else if i > 0 && i < len(parts)-1 {
			return nil, false
		}
	}
	return full, true
}

func nthParagraph(p *parameters) (func(string) (bool, error), error) {
	n, err := p.count("num_paragraphs", 0)
	if err != nil {
		return nil, err
	}
	nth, err := p.count("nth_paragraph", 1)
	if err != nil {
		return nil, err
	}
	first, err := p.text("first_word")
	first = pystr.Lower(first)
	return func(answer string) (bool, error) {
		parts := strings.Split(answer, "\n\n")
		full := 0
		for _, part := range parts {
			if pystr.Strip(part) != "" {
				full++
			}
		}
		if nth > full {
			return false, nil
		}
		fields := pystr.Fields(parts[nth-1]) // of all parts: a blank one before shifts the number
		if len(fields) == 0 {
			return false, nil
		}
		word := strings.TrimLeft(strings.TrimLeft(fields[0], "'"), `"`)
		if end := strings.IndexAny(word, `.,?!'"`); end >= 0 {
			word = word[:end]
		}
		var lower strings.Builder // letter by letter, so that a last Σ is like any other
		for _, r := range word {
			lower.WriteString(pystr.Lower(string(r)))
		}
		return full == n && lower.String() == first, nil
	}, err
}

func words(p *parameters) (func(string) (bool, error), error) {
	holds, err := p.relation("relation")
	if err != nil {
		return nil, err
	}
	limit, err := p.count("num_words", 0)
	return func(answer string) (bool, error) {
		n := len(strings.FieldsFunc(answer, func(r rune) bool { return !pystr.IsWord(r) }))
		return holds(n, limit), nil
	}, err
}

func ending(p *parameters) (func(string) (bool, error), error) {
	phrase, err := p.text("end_phrase")
	phrase = pystr.Lower(pystr.Strip(phrase))
	return func(answer string) (bool, error) {
		return strings.HasSuffix(pystr.Lower(strings.Trim(pystr.Strip(answer), `"`)), phrase), nil
	}, err
}

func repeated(p *parameters) (func(string) (bool, error), error) {
	request, err := p.text("prompt_to_repeat")
	request = pystr.Lower(pystr.Strip(request))
	return func(answer string) (bool, error) {
		return strings.HasPrefix(pystr.Lower(pystr.Strip(answer)), request), nil
	}, err
}

func quoted(answer string) bool {
	text := pystr.Strip(answer)
	return len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"'
}

func twoResponses(answer string) bool {
	full, ok := blankAtEnds(strings.Split(answer, "******"))
	return ok && len(full) == 2 && pystr.Strip(full[0]) != pystr.Strip(full[1])
}

func constrained(answer string) bool {
	options := []string{"My answer is yes.", "My answer is no.", "My answer is maybe."}
	return slices.ContainsFunc(options, func(o string) bool { return strings.Contains(answer, o) })
}

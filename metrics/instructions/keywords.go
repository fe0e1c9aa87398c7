package instructions

import (
	"github.com/snapbench/snapbench/metrics/internal/pyre"
	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func existence(p *parameters) (func(string) (bool, error), error) {
	keywords, err := p.texts("keywords")
	if err != nil {
		return nil, err
	}
	var list []*pyre.Pattern
	for _, k := range keywords {
		one, err := pattern("keywords", k, pyre.Flags{IgnoreCase: true})
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return func(answer string) (bool, error) {
		for _, k := range list {
			if found, err := k.Match([]rune(answer)); !found || err != nil {
				return false, err
			}
		}
		return true, nil
	}, nil
}

func forbidden(p *parameters) (func(string) (bool, error), error) {
	keywords, err := p.texts("forbidden_words")
	if err != nil {
		return nil, err
	}
	var list []*pyre.Pattern
	for _, k := range keywords {
		one, err := pattern("forbidden_words", `\b`+k+`\b`, pyre.Flags{IgnoreCase: true})
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return func(answer string) (bool, error) {
		for _, k := range list {
			if found, err := k.Match([]rune(answer)); found || err != nil {
				return false, err
			}
		}
		return true, nil
	}, nil
}

func frequency(p *parameters) (func(string) (bool, error), error) {
	keyword, err := p.text("keyword")
	if err != nil {
		return nil, err
	}
	holds, err := p.relation("relation")
	if err != nil {
		return nil, err
	}
	limit, err := p.count("frequency", 0)
	if err != nil {
		return nil, err
	}
	word, err := pattern("keyword", pystr.Strip(keyword), pyre.Flags{IgnoreCase: true})
	return func(answer string) (bool, error) {
		found, err := word.Find([]rune(answer))
		return err == nil && holds(len(found), limit), err
	}, err
}

func letters(p *parameters) (func(string) (bool, error), error) {
	letter, err := p.text("letter")
	if err != nil {
		return nil, err
	}
	holds, err := p.relation("let_relation")
	if err != nil {
		return nil, err
	}
	limit, err := p.count("let_frequency", 0)
	letter = pystr.Lower(pystr.Strip(letter))
	return func(answer string) (bool, error) {
		n := 0
		for _, r := range pystr.Lower(answer) {
			if string(r) == letter { // several letters are none of the text's
				n++
			}
		}
		return holds(n, limit), nil
	}, err
}

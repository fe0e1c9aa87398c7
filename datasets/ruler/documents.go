package ruler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ReadSQuAD makes the questions of qa_1 from SQuAD 2.0's dev-v2.0.json: those that have an
// answer, in the file's order, over all paragraphs.
func ReadSQuAD(text []byte) (*QA, error) {
	var file struct {
		Data []struct {
			Title      string
			Paragraphs []struct {
				Context *string
				QAs     []struct {
					Question   *string
					Impossible *bool `json:"is_impossible"`
					Answers    []struct{ Text string }
				}
			}
		}
	}
	if err := unmarshal(text, &file); err != nil {
		return nil, err
	}
	var all []string
	for i, article := range file.Data {
		for k, p := range article.Paragraphs {
			if p.Context == nil {
				return nil, fmt.Errorf("article %d, %q, paragraph %d: no context", i+1, article.Title, k+1)
			}
			all = append(all, *p.Context)
		}
	}
	qa, number := numberDocuments(all)
	for i, article := range file.Data {
		var near []int
		for _, p := range article.Paragraphs {
			near = append(near, number[*p.Context])
		}
		for k, p := range article.Paragraphs {
			for n, q := range p.QAs {
				if q.Question == nil || q.Impossible == nil {
					return nil, fmt.Errorf("article %d, %q, paragraph %d, question %d: no question or no is_impossible", i+1, article.Title, k+1, n+1)
				}
				if *q.Impossible {
					continue
				}
				question := Question{Text: *q.Question, Own: near[k : k+1], Near: near}
				for _, a := range q.Answers {
					question.Answers = append(question.Answers, a.Text)
				}
				if len(question.Answers) == 0 {
					return nil, fmt.Errorf("article %d, %q, paragraph %d, question %d: no answers", i+1, article.Title, k+1, n+1)
				}
				qa.Questions = append(qa.Questions, question)
			}
		}
	}
	return qa.check()
}

// ReadHotpotQA makes the questions of qa_2 from HotpotQA's hotpot_dev_distractor_v1.json.
func ReadHotpotQA(text []byte) (*QA, error) {
	var file []struct {
		Question, Answer *string
		Context          []hotpotDocument
	}
	if err := unmarshal(text, &file); err != nil {
		return nil, err
	}
	var all []string
	for i, q := range file {
		if q.Question == nil || q.Answer == nil || len(q.Context) == 0 {
			return nil, fmt.Errorf("question %d: no question, answer or context", i+1)
		}
		for _, d := range q.Context {
			all = append(all, d.text)
		}
	}
	qa, number := numberDocuments(all)
	for _, q := range file {
		question := Question{Text: *q.Question, Answers: []string{*q.Answer}}
		for _, d := range q.Context {
			question.Own = append(question.Own, number[d.text])
		}
		qa.Questions = append(qa.Questions, question)
	}
	return qa.check()
}

// hotpotDocument is a title and sentences, as a list of the two.
type hotpotDocument struct{ text string }

// UnmarshalJSON reads [title, [sentence, …]].
func (d *hotpotDocument) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	var title string
	var sentences []string
	err := json.Unmarshal(text, &parts)
	if err == nil && len(parts) != 2 {
		err = fmt.Errorf("a document of %d parts: want a title and sentences", len(parts))
	}
	if err == nil {
		err = json.Unmarshal(parts[0], &title)
	}
	if err == nil {
		err = json.Unmarshal(parts[1], &sentences)
	}
	d.text = title + "\n" + strings.Join(sentences, "")
	return err
}

// numberDocuments sorts documents by code point and drops repeats.
func numberDocuments(all []string) (*QA, map[string]int) {
	qa := &QA{Documents: distinct(all)}
	number := make(map[string]int, len(qa.Documents))
	for i, d := range qa.Documents {
		number[d] = i
	}
	return qa, number
}

func (qa *QA) check() (*QA, error) {
	if len(qa.Questions) == 0 {
		return nil, errors.New("no questions")
	}
	if slices.Contains(qa.Documents, "") {
		return nil, errors.New("a document is empty")
	}
	return qa, nil
}

// unmarshal is json.Unmarshal with the line in its errors.
func unmarshal(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	if offset >= 0 {
		return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n")), err)
	}
	return err
}

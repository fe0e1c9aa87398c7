package datasets

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// A dialogue asks the questions of a context one after the other. The prompt that ends with the first one is
// compressed; behind it stand, for each later question, the reference answer to the one before, the border between
// two turns, and the question. No row rests on what was answered in another: the answers read are the references.

// conversable says why a row's questions cannot be asked as a dialogue.
func (r *questionsRow) conversable() error {
	if r.prompt != "" {
		return errors.New(`field "prompt": a text has no turns, and the convention dialogue needs them: use "messages"`)
	}
	messages := r.chat()
	if !strings.Contains(messages[len(messages)-1].Content, questionMark) {
		return fmt.Errorf(`field "messages": %s is not in the last message, where the convention dialogue goes on`, questionMark)
	}
	for i, q := range r.questions {
		if len(q.answers) == 0 {
			return fmt.Errorf(`field "questions": question %d: no "answers": in a dialogue the first of them is what was answered`, i+1)
		}
	}
	return nil
}

// reply is the reference answer as it stands behind the question's beginning of an answer.
func (q *questionAsked) reply() string {
	if q.begin == "" || strings.TrimRightFunc(q.begin, unicode.IsSpace) != q.begin {
		return q.answers[0]
	}
	return " " + q.answers[0]
}

// turn is what is read for one more question: the answer to the one before, and the text from there to where the
// next answer begins.
type turn struct{ answer, next string }

// turns returns those that lead to question n. The border between two turns is what the chat template writes: each
// conversation must go on from where the one before ends, as far as that is read.
func (r *questionsRow) turns(m Model, n int) (list []turn, err error) {
	if n == 0 {
		return nil, nil
	}
	if m.Chat == nil {
		return nil, errors.New("the model has no chat template, and a dialogue needs turns: ask by another convention")
	}
	messages := r.chat()
	messages = messages[:len(messages):len(messages)]
	last := messages[len(messages)-1]
	if _, behind, ok := strings.Cut(last.Content, contextMark); ok { // later turns have no context
		last.Content = strings.TrimLeftFunc(behind, unicode.IsSpace)
	}
	read, err := m.Chat(messages, nil)
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	for i := 1; i <= n; i++ {
		q, next := &r.questions[i-1], &r.questions[i]
		answer, question := fmt.Sprintf("{answer %d}", i), fmt.Sprintf("{question %d}", i+1)
		messages = append(messages, Message{Role: "assistant", Content: answer},
			Message{Role: last.Role, Content: strings.Replace(last.Content, questionMark, question, 1)})
		text, err := m.Chat(messages, nil)
		if err != nil {
			return nil, fmt.Errorf("chat template: %w", err)
		}
		behind, stable := strings.CutPrefix(text, read)
		gap, behind, answered := strings.Cut(behind, answer)
		border, tail, asked := strings.Cut(behind, question)
		if !stable || !answered || !asked || strings.TrimSpace(gap) != "" || strings.Contains(border+tail, answer) || strings.Contains(tail, question) {
			return nil, fmt.Errorf("chat template: the conversation up to question %d does not go on from that up to question %d, "+
				"so a dialogue cannot be read turn by turn: ask by another convention", i+1, i)
		}
		reply := q.reply()
		switch { // what the template puts before an answer is read as part of it
		case q.begin == "":
			reply = gap + reply
		case !strings.HasPrefix(q.begin, gap):
			return nil, fmt.Errorf("chat template: it puts %q before an answer, and question %d begins its answer with %q: begin with it", gap, i, q.begin)
		}
		list = append(list, turn{reply, border + next.text + tail + next.begin})
		read = text
	}
	return list, nil
}

// converse adds to the first question's prompt what leads to question at, to be read behind it. An answer's tokens are
// its own; those from its end to the next answer are of one text.
func (r *questionsRow) converse(s *Sample, at int, m Model) error {
	turns, err := r.turns(m, at)
	if err != nil {
		return err
	}
	for _, t := range turns {
		for _, text := range []string{t.answer, t.next} {
			ids, err := m.Tokenizer.Encode(text, false)
			if err != nil {
				return err
			}
			s.Prompt += text
			s.Question = append(s.Question, ids...)
		}
	}
	return nil
}

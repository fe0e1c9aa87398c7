package metrics

import "testing"

func TestExact(t *testing.T) {
	for _, c := range []struct {
		prediction string
		answers    []string
		want       float64
	}{
		{"Paris", []string{"Paris"}, 1},
		{" \n Paris\u3000", []string{"Rome", " Paris"}, 1},
		{"Paris.", []string{"Paris"}, 0},
		{"paris", []string{"Paris"}, 0},
		{"It is Paris", []string{"Paris"}, 0},
		{"", []string{""}, 0}, // nothing is no answer
		{"a b", []string{"a  b"}, 0},
	} {
		if got := score(t, "exact", c.prediction, Reference{Answers: c.answers}); got != c.want {
			t.Errorf("exact(%q, %q) = %v, want %v", c.prediction, c.answers, got, c.want)
		}
	}
}

func TestContains(t *testing.T) {
	for _, c := range []struct {
		prediction string
		answers    []string
		want       float64
	}{
		{"it is 5026494.", []string{"5026494"}, 1},
		{"it is 502649", []string{"5026494"}, 0},
		{"1 and 2", []string{"2", "1"}, 1},
		{"1 and 3", []string{"2", "1"}, 0},
		{"Red", []string{"red"}, 0},
	} {
		if got := score(t, "contains", c.prediction, Reference{Answers: c.answers}); got != c.want {
			t.Errorf("contains(%q, %q) = %v, want %v", c.prediction, c.answers, got, c.want)
		}
	}
	s, err := Open("contains")
	if err != nil {
		t.Fatal(err)
	}
	if s.Identity() != "exact/1" { // rows of before it was renamed keep their ids
		t.Errorf("identity %s", s.Identity())
	}
	if got, err := s.Score("x", Reference{Answers: []string{"1", ""}}); err == nil {
		t.Errorf("an empty value scores %v", got)
	}
}

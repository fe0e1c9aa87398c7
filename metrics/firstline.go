package metrics

import "strings"

// FirstLine is the prediction's first line that is not empty: newlines at the
// start are dropped and the text is cut at the next one. LongBench grades only
// this line of trec, triviaqa, samsum and lsht, because few-shot prompts make
// models continue with examples of their own.
func FirstLine(prediction string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(prediction, "\n"), "\n")
	return line
}

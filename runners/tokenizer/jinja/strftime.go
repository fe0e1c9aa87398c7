package jinja

import (
	"fmt"
	"strings"
)

// layouts are the directives of Python's strftime, in the C locale, for which Go's
// package time has a layout.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'd': "02", 'e': "_2", 'm': "01", 'y': "06", 'Y': "2006",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04",
	'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
}

// strftimeNow is strftime_now: it formats the rendering's time, without a time zone.
func strftimeNow(r *run, format string) (string, error) {
	t := text{r: r}
	now := r.now
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			t.add(format[i : i+1])
			continue
		}
		i++
		pad := true
		if i < len(format) && format[i] == '-' {
			pad = false
			i++
		}
		if i == len(format) {
			return "", fail(Unsupported, "strftime_now(%s): %% at the end", repr(format))
		}
		var s string
		switch c := format[i]; c {
		case '%':
			s = "%"
		case 'n':
			s = "\n"
		case 't':
			s = "\t"
		case 'Z', 'z': // empty, because the time has no zone
		case 'j':
			s = fmt.Sprintf("%03d", now.YearDay())
		case 'w':
			s = fmt.Sprint(int(now.Weekday()))
		case 'u':
			s = fmt.Sprint((int(now.Weekday())+6)%7 + 1)
		case 'f':
			s = fmt.Sprintf("%06d", now.Nanosecond()/1000)
		case 'C':
			s = fmt.Sprintf("%02d", now.Year()/100)
		case 'U':
			s = fmt.Sprintf("%02d", (now.YearDay()+6-int(now.Weekday()))/7)
		case 'W':
			s = fmt.Sprintf("%02d", (now.YearDay()+6-(int(now.Weekday())+6)%7)/7)
		case 'V', 'G', 'g':
			year, week := now.ISOWeek()
			s = map[byte]string{'V': fmt.Sprintf("%02d", week), 'G': fmt.Sprint(year), 'g': fmt.Sprintf("%02d", year%100)}[c]
		default:
			layout, ok := layouts[c]
			if !ok {
				return "", fail(Unsupported, "strftime_now(%s): %%%c", repr(format), c)
			}
			s = now.Format(layout)
		}
		if !pad {
			s = strings.TrimLeft(s, "0 ")
			if s == "" {
				s = "0"
			}
		}
		t.add(s)
	}
	return t.String(), t.err
}

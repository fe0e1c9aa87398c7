package ruler

import (
	"fmt"
	"testing"
)

// BenchmarkFirst is a series' first prompt, the search of its size included; BenchmarkNext is
// the prompts after it.
func BenchmarkFirst(b *testing.B) {
	bench(b, func(b *testing.B, c Config) {
		for b.Loop() {
			prompt(b, c, 0)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	bench(b, func(b *testing.B, c Config) {
		s := prompt(b, c, 0)
		i := 0
		for b.Loop() {
			i++
			if _, err := s.Sample(i); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func prompt(b *testing.B, c Config, i int) *Series {
	s, err := Open(c)
	if err == nil {
		_, err = s.Sample(i)
	}
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func bench(b *testing.B, run func(b *testing.B, c Config)) {
	count, essay := counter(b, "llama3.1"), originalEssays(b)
	for _, edition := range []Edition{Edition2026, Edition2024} {
		for _, length := range []int{4 << 10, 32 << 10, 128 << 10} {
			for _, task := range Tasks() {
				if Documents(task) {
					continue
				}
				b.Run(fmt.Sprintf("%s/%dk/%s", edition, length>>10, task), func(b *testing.B) {
					run(b, Config{Edition: edition, Task: task, Length: length, Count: count, Essay: essay})
				})
			}
		}
	}
}

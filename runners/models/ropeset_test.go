package models

import (
	"reflect"
	"strings"
	"testing"
)

// TestRopeSetting: a setting gives what config.json with the same scaling gives.
func TestRopeSetting(t *testing.T) {
	own := `"rope_theta": 1000000, "rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": 20480, "beta_fast": 16, "truncate": false, "attention_factor": 3}}`
	for _, c := range []struct{ setting, before, after, text string }{
		{"yarn:4,original=32768", `"rope_theta": 1000000}`,
			`"rope_theta": 1000000, "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 32768}}`, "yarn:4,original=32768"},
		{"yarn:4", `"rope_theta": 1000000}`, `"rope_theta": 1000000, "rope_scaling": {"type": "yarn", "factor": 4}}`, "yarn:4,original=40960"},
		{"yarn:1.50", `"model_type": "qwen3_5_text", "full_attention_interval": 1}`, `"model_type": "qwen3_5_text", "full_attention_interval": 1, "rope_scaling": {"type": "yarn", "factor": 1.5}}`, "yarn:1.5,original=40960"},
		{"linear:2", `"rope_theta": 1000000}`,
			`"rope_theta": 1000000, "max_position_embeddings": 81920, "rope_scaling": {"type": "linear", "factor": 2}}`, "linear:2"},
		{"yarn:8", own, strings.NewReplacer(`"factor": 2`, `"factor": 8`, `, "attention_factor": 3`, ``).Replace(own), "yarn:8,original=20480"},
		{"none", own, `"rope_theta": 1000000, "max_position_embeddings": 20480}`, "none"},
		{"none", `"rope_theta": 7000}`, `"rope_theta": 7000}`, "none"},
	} {
		s, err := ParseRope(c.setting)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseConfig("config.json", []byte(qwen3Like+c.before), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := ParseConfig("config.json", []byte(qwen3Like+c.after), nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err = s.Apply(&got)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s on %s: %+v for %d positions, want %+v for %d", c.setting, c.before, got.Rope, got.Context, want.Rope, want.Context)
		}
		if s.String() != c.text {
			t.Errorf("%s reads back as %s, want %s", c.setting, s, c.text)
		}
		if again, err := ParseRope(s.String()); err != nil || again != s {
			t.Errorf("%s reads back as %+v (%v)", s, again, err)
		}
	}
	c, err := ParseConfig("config.json", []byte(slidingHalf+`"rope_theta": 7000, "rope_local_base_freq": 300}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (RopeSetting{Type: "yarn", Factor: 2}).Apply(&c); err != nil || c.RopeOf(0).Type != "yarn" || c.RopeOf(1).Type != "default" || c.RopeOf(1).Theta != 300 {
		t.Errorf("%+v and %+v (%v)", c.RopeOf(0), c.RopeOf(1), err)
	}
	before := c
	if _, err := (RopeSetting{Type: "yarn", Factor: 1e9}).Apply(&c); err == nil || !strings.Contains(err.Error(), "rope yarn:1e+09,original=4096: context is") || !reflect.DeepEqual(c, before) {
		t.Errorf("a factor of a billion: %v", err)
	}
}

func TestRopeSettingErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                             `"" is not known`,
		"longrope:4":                   `"longrope" is not known`,
		"yarn":                         "yarn has no factor",
		"yarn:":                        `the factor is ""`,
		"yarn:0.5":                     `the factor is "0.5"`,
		"yarn:NaN":                     `the factor is "NaN"`,
		"yarn:inf":                     `the factor is "inf"`,
		"yarn:4,":                      `yarn has no ""`,
		"yarn:4,beta=2":                `yarn has no "beta"`,
		"yarn:4,original=0":            `original is "0"`,
		"yarn:4,original=-1":           `original is "-1"`,
		"yarn:4,original=1e9999":       `original is "1e9999"`,
		"yarn:4,original=99999999999":  `original is "99999999999"`,
		"yarn:4,original=8,original=9": `original is "9"`,
		"linear:2,original=5":          `linear has no "original"`,
		"none:1":                       `"none" is not known`,
	} {
		if s, err := ParseRope(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), RopeForms) {
			t.Errorf("%q: %+v, %v; want an error with %s", text, s, err, want)
		}
	}
}

func FuzzParseRope(f *testing.F) {
	f.Add("yarn:4,original=32768")
	f.Add("linear:2.5")
	f.Add("none")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseRope(text)
		if err != nil {
			return
		}
		if again, err := ParseRope(s.String()); err != nil || again != s {
			t.Errorf("%q is %+v and reads back as %+v (%v)", text, s, again, err)
		}
		c := Config{}
		if _, err := s.Apply(&c); err == nil {
			t.Error("an empty configuration takes a setting")
		}
	})
}

// TestRotationInWords: what models show prints of a rotation.
func TestRotationInWords(t *testing.T) {
	for text, want := range map[string]string{
		qwen3Like + `"rope_theta": 1000000}`: "theta 1e+06, scaling default",
		qwen3Like + `"rope_theta": 1000000, "rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 32768}}`: "theta 1e+06, scaling yarn, factor 4, original context 32768, amplitude 1.1386",
		strings.Replace(qwen3Like, "qwen3", "phi3", 1) + `"original_max_position_embeddings": 4096, "partial_rotary_factor": 0.125, "rope_scaling": {"type": "longrope", "short_factor": [1, 1], "long_factor": [1, 2]}}`: "theta 10000, scaling longrope, original context 4096, " +
			"amplitude 1.1300, other frequencies for prompts above 4096 tokens and for tokens decoded from there on, 4 of 32 channels", // √(1 + ln 10/ln 4096)
		slidingHalf + `"rope_theta": 7000, "rope_local_base_freq": 300}`: "theta 7000, scaling default; layers with a sliding window: theta 300, scaling default",
	} {
		if c, err := ParseConfig("config.json", []byte(text), nil); err != nil || c.Rotation() != want {
			t.Errorf("%s: %q (%v), want %q", text, c.Rotation(), err, want)
		}
	}
}

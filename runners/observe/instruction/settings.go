package instruction

// Settings are the study's parameters.
type Settings struct {
	Response  int     `json:"response"`  // T, tokens of the greedy response, end tokens among them
	Windows   []int   `json:"windows"`   // W, rows of the last window whose vote is held to the response
	Own       int     `json:"own"`       // rows of the context's own end
	Share     int     `json:"share"`     // f: a vote is for 1/f of the positions that it is over
	Important float64 `json:"important"` // θ, attention of one row
	Sinks     int     `json:"sinks"`     // positions that are left out as sinks, from the first one on
}

// Paper are the parameters of the paper's code where that states them (k = ⌊n/20⌋, θ 0.05, W 128); the others are ours. The
// paper's responses have hundreds of tokens.
var Paper = Settings{Response: 16, Windows: []int{128, 32}, Own: 128, Share: 20, Important: 0.05, Sinks: 4}

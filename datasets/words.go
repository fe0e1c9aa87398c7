package datasets

import "strings"

// Keys and word values are made of these: common English words, the first of a
// pair an adjective or used as one, the second a thing or an animal. Changing
// them changes prompts: raise needleVersion.
var (
	firstWords = strings.Fields(`
		amber arctic bitter bold brave brisk bronze calm canvas careful cedar cheerful clever coastal cobalt copper
		coral cosmic cotton crimson crystal curious daring distant dusty eager early ebony emerald fading fearless
		fierce floral foggy forest frozen gentle gilded glassy golden granite grateful happy harbor hidden hollow
		humble icy indigo ivory jolly kindly lantern lavish leafy lively lofty lucky lunar marble meadow mellow
		misty mossy narrow noble northern oaken olive opal orange pale patient pearly pepper placid plain polar
		proud purple quiet rapid rosy rugged rustic sandy scarlet secret shady shining silent silver simple sleepy
		solar solid southern spicy stormy sturdy summer sunny swift tender timber tranquil velvet violet vivid
		wandering warm western whistling wild windy winter wooden yellow zesty`)
	secondWords = strings.Fields(`
		acorn anchor antler apple arrow badger balcony banner barrel basket beacon beaver bell birch blanket boulder
		bridge bucket butter button cabin camel candle canyon carpet castle cello chapel cherry chimney cliff clock
		comet compass cottage cradle cricket curtain dagger dolphin donkey dragon drum eagle engine falcon feather
		fiddle finch flute fountain fox garden ginger glacier goblet hammer harvest hazel hedge helmet heron hornet
		island jacket jasmine jewel kettle kitten ladder lagoon lark lemon lizard locket magnet maple market meteor
		mirror monkey mountain nettle nutmeg oasis orchard otter owl paddle palace panther parrot pebble pencil
		pigeon pillow piper planet pocket pony prairie quarry rabbit raven ribbon river robin rocket saddle sailor
		salmon shepherd shovel spindle squirrel stable statue summit swallow teapot temple thistle thunder ticket
		tiger tower trumpet tunnel turtle valley violin wagon walnut weaver whale willow window zebra`)
)

"""Everyday English words and given names, one list each, from which questions are made."""

from __future__ import annotations

WORDS = tuple(
    """
    apple anchor arrow autumn acorn album attic basket beach bottle branch bread breeze brick bridge bronze
    broom bucket butter button cabin cable camel camera candle canoe canyon carpet carrot castle cattle cedar
    ceiling cellar cereal chain chair chalk cheese cherry chess chimney circle circus citrus clay cliff clock
    cloud clover coach coal coast cobalt coconut coffee collar comet compass copper coral cotton cousin cradle
    crane crater crayon creek cricket crown crystal curtain cushion daisy dance dawn desert desk diamond dinner
    doctor dolphin donkey door dragon drawer dream drum eagle earth easel echo elbow ember emerald engine
    engraver envelope evening fabric falcon farmer feather fence ferry fiddle field finger fire flag flame
    flannel flint flood flour flower flute forest fork fossil fountain fox frame frost fruit galaxy garage
    garden garlic gate giant ginger glacier glass globe glove goose grain granite grape grass gravel guitar
    hammer hammock harbor harvest hat hawk hazel heart hedge helmet herald hill hinge honey hood hook horizon
    horse hotel hour house ice igloo ink insect iron island ivory ivy jacket jaguar jar jasmine jelly jewel
    journal judge juice jungle kettle key kingdom kitchen kite kitten knight ladder lake lamp lantern lasso
    laurel lawn leaf leather lemon lens letter lettuce library light lily linen lion lizard llama lobster
    locket lotus lumber lunch magnet mango manor map maple marble market meadow medal melon mentor metal meteor
    milk mill mirror mitten monkey moon morning moss mountain mouse museum music mustard napkin needle nest
    night notebook novel nugget nurse nutmeg oak oasis oat ocean office olive onion opal orange orbit orchard
    orchid organ otter oven owl oyster paddle palace panda panel paper parade parcel parrot pasture path peach
    peanut pearl pebble pelican pencil pepper piano picnic pigeon pillow pilot pine pirate planet plank plaza
    plum pocket poem poet pond pony poplar poppy porch potato potter prairie prism puddle pumpkin puppet puzzle
    quail quarry quartz quilt rabbit radio raft railway rain raven razor reef ribbon rice ridge ring river robin
    rocket roof rope rose ruby rug saddle saffron sail salmon salt sandal sapling satchel saucer scarf school
    sea seed shadow shark sheep shell shelf ship shirt shovel silk silver sketch sleigh slope smoke snail snow
    soap sofa soil song spark sparrow spice spider spoon spring squash stable stairs stamp star statue steam
    stone stork storm stove straw stream street sugar summit sun swan table tailor talon tango tapestry teapot
    temple tent thimble thistle thread throne thunder tiger timber toast tomato topaz torch tower town trail
    train tree trophy trout trumpet tulip tunnel turtle umbrella uncle valley vase velvet village violet violin
    vulture wagon walnut walrus water wax wheat wheel whistle willow window winter wizard wolf wood wool yacht
    yarn zebra zenith zigzag
    """.split()
)

NAMES = tuple(
    """
    Ada Adam Agnes Aisha Alan Alba Albert Alice Amir Ana Andrea Anita Anna Anton Aron Astrid Beatrice Ben Berta
    Bianca Boris Bruno Camila Carl Carmen Chen Clara Clemens Cora Daniel Daria David Dora Edgar Edith Elena Elias
    Ella Emil Emma Erik Esra Esther Eva Fatima Felix Fiona Flora Frank Frida Gabriel George Greta Gustav Hana
    Hannah Hassan Hector Hedda Helen Henry Hugo Ida Igor Ines Ingrid Irene Isaac Ivan Ivy Jacob Jamal Jan Jasmin
    Joan Jonas Jorge Josef Judith Julia Karim Karin Kenji Kira Klara Kofi Lara Laura Lea Leo Liam Lina Linus Lisa
    Louis Lucia Luis Luna Magda Malik Marco Maria Marta Martin Maya Mei Mia Milan Mira Mona Nadia Nina Noah Nora
    Olga Oliver Omar Oscar Otto Pablo Paul Pedro Petra Philip Pia Priya Rafael Rahul Rita Robert Rosa Ruth Samir
    Samuel Sara Selma Simon Sofia Stefan Sven Tara Theo Thomas Tilda Tim Tom Uma Ursula Vera Victor Viola Walter
    Wanda Wei Willa Xenia Yara Yusuf Zoe
    """.split()
)

<?php

declare(strict_types=1);

// The messages of the sample conversation in order. Files are in this folder, each with its description.
return [
    'gate' => ['who' => 'alice', 'text' => 'Morning all. The gate is open, and the kettle is on.'],
    'tomato' => [
        'who' => 'wei',
        'text' => 'First one of the year! Black Krim, from the bed at the fence.',
        'files' => ['tomato.webp' => 'A dark red tomato on a wooden table'],
        'reactions' => ['😍' => ['carol', 'sofia'], '🍅' => ['alice', 'bob', 'dimitri']],
    ],
    'how' => ['who' => 'carol', 'text' => 'In this weather? How did you do that?', 'reply' => 'tomato'],
    'fleece' => ['who' => 'wei', 'text' => 'Fleece at night, and a lot of luck.', 'reply' => 'how'],
    'plan' => [
        'who' => 'sofia',
        'text' => 'My plan for the new beds. The path stays wide enough for the barrow.',
        'files' => ['beds.webp' => 'A plan with four beds, a path between them and a tree'],
        'reactions' => ['👍' => ['alice', 'dimitri']],
    ],
    'barrow' => ['who' => 'dimitri', 'text' => 'The barrow thanks you. So does my back.'],
    'poll' => [
        'who' => 'alice',
        'text' => "What do we cook on Sunday? Vote with a reaction:\n🍕 pizza from the clay oven\n🥗 a big salad\n🍲 soup",
        'reactions' => ['🍕' => ['bob', 'carol', 'dimitri', 'wei'], '🥗' => ['sofia', 'alice'], '🍲' => ['dimitri']],
        'pin' => true,
    ],
    'bird' => [
        'who' => 'bob',
        'text' => 'Who is singing in the apple tree?',
        'files' => ['bird.wav' => ''],
        'peaks' => '0nqpiqofpqocnqqpqe000jqqinqneoqqi0qqqqppqn4000',
    ],
    'blackbird' => ['who' => 'carol', 'text' => 'A blackbird. It has found the cherries.', 'reply' => 'bird'],
    'oven' => ['who' => 'bob', 'text' => 'Pizza it is, I think. I bring the honey. 🍯'],
];

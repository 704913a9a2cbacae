<?php

declare(strict_types=1);

/**
 * Writes messages as the sample users, so that the sample chat is not empty. No-op if the first room already has a
 * message. `npm start` and docker-compose.yml run it: php php-app/seed/seed.php SITE CHAT
 */

namespace PhpSessionChat;

require __DIR__ . '/ChatVisitor.php';

[, $site, $chat] = $argv + ['', 'http://127.0.0.1:8080', 'http://127.0.0.1:7070'];
$talk = require __DIR__ . '/talk.php';
$room = 'lobby';

/** @var array<string, ChatVisitor> $people */
$people = [];
$join = function (string $name) use (&$people, $site, $chat, $room): ChatVisitor {
    if (!isset($people[$name])) {
        $people[$name] = new ChatVisitor(rtrim($site, '/'), rtrim($chat, '/'), $name);
        $people[$name]->ask('room:join', ['room' => $room]);
    }
    return $people[$name];
};

// The chat server may still be starting.
for ($second = 1; ; $second++) {
    try {
        $alice = $join('alice');
        break;
    } catch (\RuntimeException $error) {
        if ($second === 60) {
            throw $error;
        }
        sleep(1);
    }
}
if ($alice->ask('message:history', ['room' => $room])['messages'] !== []) {
    exit(0);
}
$alice->ask('room:update', ['room' => $room, 'name' => 'Potting shed', 'topic' => 'Everything that grows']);
$numbers = [];
foreach ($talk as $key => $said) {
    $who = $join($said['who']);
    $files = [];
    foreach ($said['files'] ?? [] as $name => $alt) {
        $id = $who->upload($room, $name, file_get_contents(__DIR__ . "/$name"), $said['peaks'] ?? '');
        $files[] = ['id' => $id] + ($alt === '' ? [] : ['alt' => $alt]);
    }
    $message = ['room' => $room, 'text' => $said['text'] ?? '', 'clientId' => "seed-$key"];
    $message += $files === [] ? [] : ['files' => $files];
    $message += isset($said['reply']) ? ['replyTo' => $numbers[$said['reply']]] : [];
    $seq = $numbers[$key] = $who->ask('message:send', $message)['message']['seq'];
    $asked = [];
    foreach ($said['reactions'] ?? [] as $emoji => $names) {
        foreach ($names as $name) {
            $reaction = ['room' => $room, 'seq' => $seq, 'emoji' => $emoji, 'on' => true];
            $asked[] = [$join($name), $join($name)->send('message:react', $reaction)];
        }
    }
    // Sent before waiting, because the chat server collects reactions before it responds.
    foreach ($asked as [$who, $number]) {
        $who->answer($number);
    }
    if ($said['pin'] ?? false) {
        $alice->ask('message:pin', ['room' => $room, 'seq' => $seq]);
    }
}
// Bob and Carol write to Alice directly, because most visitors log in as her first.
$letters = [
    'bob' => 'Alice, I can open the gate on Saturday. Do you have the second key?',
    'carol' => 'Your cabbages are safe again. It was a snail.',
];
foreach ($letters as $name => $text) {
    $direct = $join($name)->ask('direct:open', ['user' => '1'])['room']['id'];
    $join($name)->ask('room:join', ['room' => $direct]);
    $join($name)->ask('message:send', ['room' => $direct, 'text' => $text, 'clientId' => "seed-$name"]);
}
foreach ($people as $person) {
    $person->leave();
}

<!doctype html>
<x-php-chat :room="$room" title="{{ $room }}" launcher/>
<x-php-chat server="https://chat.example/">The chat needs JavaScript.</x-php-chat>
<p>The end.</p>

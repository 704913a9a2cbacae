<?php

declare(strict_types=1);

namespace PhpSessionChat;

use InvalidArgumentException;
use SensitiveParameter;

/**
 * Calls the API of the chat server with the key of the site (CHAT_API_KEY). docs/api.md describes each call.
 *
 * Requires only PHP's streams (allow_url_fopen). After a temporary failure, a call is retried if a repeat is harmless.
 * A repeated message has the same clientId, so it is stored once.
 */
final class ChatClient
{
    private const TRIES = 3;
    /** The delay before the first retry, in microseconds. It doubles with each retry. */
    private const PAUSE = 100_000;
    /** The maximum size of a response, in bytes. */
    private const MOST = 1024 * 1024;

    private readonly string $url;

    /**
     * @param string $url of the chat server, such as http://127.0.0.1:7070
     * @param float $timeout to connect, and for each read, in seconds
     */
    public function __construct(
        string $url,
        #[SensitiveParameter] private readonly string $key,
        private readonly float $timeout = 2.0,
    ) {
        if (preg_match('~^https?://[^/?#]+(/[^?#]*)?$~', $url) !== 1) {
            throw new InvalidArgumentException('The URL of the chat server must begin with http:// or https://.');
        }
        if (preg_match('/^[\x21-\x7e]{16,}$/', $key) !== 1) {
            throw new InvalidArgumentException('The key must be at least 16 printable ASCII characters, no blanks.');
        }
        $this->url = rtrim($url, '/');
    }

    /** Keeps the key out of dumps. */
    public function __debugInfo(): array
    {
        return ['url' => $this->url, 'timeout' => $this->timeout];
    }

    /**
     * Posts a message in the name of a user. Only in a direct room, the user must be a member.
     *
     * @param string|null $clientId identifies the message: a repeat with the same ID is not stored again
     * @param string|null $card the reference of a card, such as order:4711: see Cards
     * @param bool $important whether to mark the message as important, such as an announcement
     * @return array<string, mixed> the stored message
     * @throws ChatError
     */
    public function postMessage(
        string $room,
        int|string $userId,
        string $userName,
        string $text,
        ?string $clientId = null,
        ?string $card = null,
        bool $important = false,
    ): array {
        $answer = $this->call('POST', "/api/rooms/{$this->part($room)}/messages", [
            'user' => ['id' => (string) $userId, 'name' => $userName],
            'text' => $text,
            'clientId' => $clientId ?? bin2hex(random_bytes(16)),
        ] + ($card === null ? [] : ['card' => $card]) + ($important ? ['important' => true] : []));
        return $answer['message'];
    }

    /**
     * Returns a message in its current state, such as a poll with its votes.
     *
     * @return array<string, mixed>|null null if the room or message is unknown, or the message expired
     * @throws ChatError
     */
    public function message(string $room, int $seq): ?array
    {
        try {
            return $this->call('GET', "/api/rooms/{$this->part($room)}/messages?seq=$seq")['message'];
        } catch (ChatError $error) {
            if (in_array($error->getErrorCode(), ['unknown_room', 'unknown_message'], true)) {
                return null;
            }
            throw $error;
        }
    }

    /**
     * Asks the team of the site in the name of a user, or continues the user's question.
     *
     * @param string|null $clientId identifies the message: a repeat with the same ID is not stored again
     * @param array{page: string, title?: string, card?: string}|null $about what it is about; `page` is a path on the site
     * @return array{room: array<string, mixed>, message: array<string, mixed>} the question and its message
     * @throws ChatError
     */
    public function askTeam(
        int|string $userId,
        string $userName,
        string $text,
        ?string $clientId = null,
        ?array $about = null,
    ): array {
        return $this->call('POST', '/api/questions', [
            'user' => ['id' => (string) $userId, 'name' => $userName],
            'text' => $text,
            'clientId' => $clientId ?? bin2hex(random_bytes(16)),
        ] + ($about === null ? [] : ['about' => $about]));
    }

    /**
     * Returns the questions to the team, up to 100 on a page.
     *
     * @param 'all'|'unassigned'|'closed' $which all open ones, open ones without a member of the team, or closed ones
     * @param string|null $cursor `next` of the previous page
     * @return array{questions: list<array<string, mixed>>, next?: string} without `next` on the last page
     * @throws ChatError
     */
    public function questions(string $which = 'all', ?string $cursor = null): array
    {
        // http_build_query() omits null.
        return $this->call('GET', '/api/questions?' . http_build_query(['which' => $which, 'cursor' => $cursor]));
    }

    /**
     * Closes a question. No effect on a closed one.
     *
     * @return array<string, mixed> the question
     * @throws ChatError `unknown_room` if the room is not a question
     */
    public function closeQuestion(string $room): array
    {
        return $this->call('POST', "/api/questions/{$this->part($room)}/close", [])['question'];
    }

    /**
     * Sends an event `push` to all connections of a user.
     *
     * @param mixed $data anything that JSON can hold; null: none
     * @return int the number of connections that received the event
     * @throws ChatError
     */
    public function push(int|string $userId, string $name, mixed $data = null): int
    {
        $body = ['name' => $name] + ($data === null ? [] : ['data' => $data]);
        // Not retried, because receivers could not tell a duplicate from a second event.
        return $this->call('POST', "/api/users/{$this->part($userId)}/push", $body, 1)['delivered'];
    }

    /**
     * Creates a room, or changes its name and topic.
     *
     * @param 'private'|'public' $kind
     * @param string|null $topic null: none; an existing topic is removed
     * @return array<string, mixed> the room
     * @throws ChatError `conflict` if the room has the other kind, or another public room has the name
     */
    public function putRoom(string $room, string $name, string $kind = 'private', ?string $topic = null): array
    {
        $body = ['name' => $name, 'kind' => $kind] + ($topic === null ? [] : ['topic' => $topic]);
        return $this->call('PUT', "/api/rooms/{$this->part($room)}", $body)['room'];
    }

    /**
     * Deletes a room with its content. No-op if the room does not exist.
     *
     * @throws ChatError
     */
    public function deleteRoom(string $room): void
    {
        try {
            $this->call('DELETE', "/api/rooms/{$this->part($room)}");
        } catch (ChatError $error) {
            if ($error->getErrorCode() !== 'unknown_room') {
                throw $error;
            }
        }
    }

    /**
     * Adds and removes members of a room, up to 1,000 of each in a call. Removing a user does not end a membership that
     * the user's session grants (CHAT_USER_ROOMS).
     *
     * @param list<int|string|array{id: int|string, name: string}> $add
     * @param list<int|string> $remove
     * @return int the number of members after the change
     * @throws ChatError
     * @throws InvalidArgumentException if an ID is neither an integer nor a string
     */
    public function changeMembers(string $room, array $add = [], array $remove = []): int
    {
        $body = [
            'add' => array_map(static fn (mixed $user) => is_array($user) ? self::withTextId($user) : self::textId($user), array_values($add)),
            'remove' => array_map(self::textId(...), array_values($remove)),
        ];
        return $this->call('PATCH', "/api/rooms/{$this->part($room)}/members", $body)['count'];
    }

    /**
     * Registers users before they open the chat, or changes their names. 1 to 1,000 users a call.
     *
     * @param list<array{id: int|string, name: string}> $users
     * @throws ChatError
     * @throws InvalidArgumentException if an ID is neither an integer nor a string
     */
    public function putUsers(array $users): void
    {
        $this->call('PUT', '/api/users', ['users' => array_map(self::withTextId(...), array_values($users))]);
    }

    /**
     * @return int the number of closed connections
     * @throws ChatError
     */
    public function closeConnections(int|string $userId): int
    {
        return $this->call('DELETE', "/api/users/{$this->part($userId)}/connections")['closed'];
    }

    /**
     * Ends a login by ticket: closes its connections, and rejects its tickets. Call it at the logout, before the
     * session is destroyed.
     *
     * @param string $sid the claim `sid` of the tickets, by default Ticket::loginId()
     * @throws ChatError
     */
    public function endLogin(string $sid): void
    {
        $this->call('DELETE', "/api/sessions/{$this->part($sid)}");
    }

    /**
     * Closes a user's connections and refuses new ones.
     *
     * @param int|null $seconds null: permanently
     * @return int the number of closed connections
     * @throws ChatError
     */
    public function ban(int|string $userId, ?int $seconds = null, ?string $reason = null): int
    {
        $body = ($seconds === null ? [] : ['seconds' => $seconds]) + ($reason === null ? [] : ['reason' => $reason]);
        return $this->call('PUT', "/api/users/{$this->part($userId)}/ban", (object) $body)['closed'];
    }

    /** @throws ChatError */
    public function unban(int|string $userId): void
    {
        $this->call('DELETE', "/api/users/{$this->part($userId)}/ban");
    }

    /**
     * @return array<string, mixed>|null null for a user that the chat does not have
     * @throws ChatError
     */
    public function user(int|string $userId): ?array
    {
        try {
            return $this->call('GET', "/api/users/{$this->part($userId)}");
        } catch (ChatError $error) {
            if ($error->getErrorCode() === 'unknown_user') {
                return null;
            }
            throw $error;
        }
    }

    /**
     * Writes all data of a user into a new file, as a zip archive.
     *
     * @param string $file must not exist yet; only the account of PHP can read it
     * @return bool false for a user that the chat does not have
     * @throws ChatError also if the response was cut off; then the file is removed
     * @throws InvalidArgumentException if the file cannot be created
     */
    public function exportUser(int|string $userId, string $file): bool
    {
        $url = "{$this->url}/api/users/{$this->part($userId)}/export";
        $answer = @fopen($url, 'rb', false, $this->context('GET'));
        $status = $answer === false ? 0 : self::statusOf(stream_get_meta_data($answer)['wrapper_data']);
        if ($answer === false || $status !== 200) {
            $text = $answer === false ? '' : (string) stream_get_contents($answer, self::MOST);
            $error = self::errorOf(json_decode($text, true), $status);
            if ($error->getErrorCode() === 'unknown_user') {
                return false;
            }
            throw $error;
        }
        // An existing file may belong to another account. A chmod() afterwards would be too late, because another
        // process could already have opened the file.
        $mask = umask(0077);
        $archive = @fopen($file, 'x+b');
        umask($mask);
        if ($archive === false) {
            throw new InvalidArgumentException(
                'The export file cannot be created: it must not exist yet, and PHP must be able to write to its folder.',
            );
        }
        stream_copy_to_stream($answer, $archive);
        // A complete archive ends with a record of 22 bytes.
        $isWhole = fseek($archive, -22, SEEK_END) === 0 && fread($archive, 4) === "PK\x05\x06";
        fclose($archive);
        if (!$isWhole) {
            unlink($file);
            throw new ChatError('no_answer', 'The response of the chat server was cut off.', 0);
        }
        return true;
    }

    /**
     * Starts the erasure of a user, which continues after a restart of the server.
     *
     * @param 'anonymise'|'delete' $messages whether the messages stay without an author or are deleted
     * @throws ChatError
     */
    public function eraseUser(int|string $userId, string $messages = 'anonymise'): void
    {
        $this->call('DELETE', "/api/users/{$this->part($userId)}?messages=" . rawurlencode($messages));
    }

    /**
     * Returns the audit entries, newest first, up to 100 on a page. Without a filter, a page has up to 50 entries of
     * each scope: the site, and the rooms that users created.
     *
     * @param string|null $cursor `next` of the previous page
     * @param int|string|null $by only entries by this user
     * @param string|null $scope `site` or `rooms`
     * @return array{acts: list<array<string, mixed>>, next?: string} without `next` on the last page
     * @throws ChatError
     */
    public function acts(?string $cursor = null, int|string|null $by = null, ?string $scope = null): array
    {
        // http_build_query() omits null.
        return $this->call('GET', '/api/audit?' . http_build_query(['cursor' => $cursor, 'by' => $by, 'scope' => $scope]));
    }

    /** Converts an ID, because JSON numbers above 2^53 are not exact, and floats are not exact already. */
    private static function textId(mixed $id): string
    {
        if (!is_int($id) && !is_string($id)) {
            throw new InvalidArgumentException('The ID of a user must be an integer or a string, not ' . get_debug_type($id) . '.');
        }
        return (string) $id;
    }

    /** @param array<string, mixed> $user */
    private static function withTextId(array $user): array
    {
        return ['id' => self::textId($user['id'] ?? null)] + $user;
    }

    private function part(int|string $name): string
    {
        return rawurlencode((string) $name);
    }

    /**
     * @param array<string, mixed>|object|null $body
     * @return array<string, mixed>
     * @throws ChatError
     */
    private function call(string $method, string $path, array|object|null $body = null, int $tries = self::TRIES): array
    {
        for ($try = 1; ; $try++) {
            try {
                return $this->ask($method, $path, $body);
            } catch (ChatError $error) {
                if ($try >= $tries || !$error->isTemporary()) {
                    throw $error;
                }
                usleep(self::PAUSE << ($try - 1));
            }
        }
    }

    /**
     * @param array<string, mixed>|object|null $body
     * @return array<string, mixed>
     */
    private function ask(string $method, string $path, array|object|null $body): array
    {
        // An invalid byte in a name or text becomes U+FFFD, so that the message is not lost.
        $flags = JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE;
        $content = $body === null ? '' : json_encode($body, $flags);
        $context = $this->context($method, $content);
        // Suppresses the warning, because the ChatError below reports the failure.
        $stream = @fopen($this->url . $path, 'rb', false, $context);
        $status = $stream === false ? 0 : self::statusOf(stream_get_meta_data($stream)['wrapper_data']);
        $answer = $stream === false ? null : json_decode((string) @stream_get_contents($stream, self::MOST), true);
        if ($status >= 200 && $status < 300 && is_array($answer)) {
            return $answer;
        }
        throw self::errorOf($answer, $status);
    }

    /** @return resource */
    private function context(string $method, string $content = '')
    {
        return stream_context_create(['http' => [
            'method' => $method,
            'header' => [
                "Authorization: Bearer {$this->key}",
                'Content-Type: application/json',
                'Content-Length: ' . strlen($content),
                'Connection: close',
            ],
            'content' => $content,
            'timeout' => $this->timeout,
            'ignore_errors' => true,
            'follow_location' => 0,
        ]]);
    }

    /** @param list<string> $headers of the response, the status line first */
    private static function statusOf(array $headers): int
    {
        return (int) (explode(' ', $headers[0] ?? '')[1] ?? 0);
    }

    private static function errorOf(mixed $answer, int $status): ChatError
    {
        $error = is_array($answer) ? ($answer['error'] ?? []) : [];
        return new ChatError(
            $error['code'] ?? 'no_answer',
            $error['message'] ?? 'There is no valid response from the chat server.',
            $status,
        );
    }
}

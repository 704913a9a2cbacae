<?php

declare(strict_types=1);

namespace PhpSessionChat\Session;

use PhpSessionChat\Session\SessionServer\SessionServerLink;

/**
 * A client of the session server, with all that its protocol can do, but for watching: see SessionServerWatcher. It has
 * one session open at a time.
 *
 *     $client = new SessionServerClient('localhost', 9090);
 *     $id = $client->create();
 *     $client->put('name', 'Ann');
 *     $client->close();
 *
 * Whoever opens a session to write it has it alone; others wait, as lockTimeout() says. Nothing is kept without
 * commit() or close(). Keys and values are bytes, any of them.
 *
 * A server that does not answer, and an error that no method tells otherwise, is a SessionUnavailable. When the
 * connection is lost while a session is open, what was not yet kept is lost, too, and open() begins anew.
 */
final class SessionServerClient extends SessionServerLink
{
    public const PORT = 9090;

    /** What the server takes for a session's ID. */
    public const ID = '/^[A-Za-z0-9,_-]{1,128}\z/';

    private const NO_KEY = 'Key does not exist';

    /** Opens a new session to write it. @return string its ID */
    public function create(): string
    {
        $this->opened(null, false);
        $id = $this->ask('new');
        $this->opened($id, true);
        return $id;
    }

    /** @return string|null null when there is none */
    public function get(#[\SensitiveParameter] string $key): ?string
    {
        $noString = 'Value is not a string';
        $value = $this->askInSession('get', rawurlencode($key), self::NO_KEY, $noString);
        if ($value === null && $this->refusal === $noString) {
            throw new SessionDataError('The value is not a string: getAll() reads it.');
        }
        return $value === null ? null : rawurldecode($value);
    }

    /** @throws SessionDataError when it is too much, or other values refer to the one that is there */
    public function put(#[\SensitiveParameter] string $key, #[\SensitiveParameter] string $value): void
    {
        $this->change('put', rawurlencode($key) . ' ' . rawurlencode($value), 'Could not store value');
    }

    public function exists(#[\SensitiveParameter] string $key): bool
    {
        return $this->askInSession('exists', rawurlencode($key), self::NO_KEY) !== null;
    }

    /**
     * @return bool false when there is none
     * @throws SessionDataError when other values refer to it
     */
    public function remove(#[\SensitiveParameter] string $key): bool
    {
        return $this->change('remove', rawurlencode($key), 'Could not remove value', self::NO_KEY) !== null;
    }

    /** @return list<string> in the order in which they came */
    public function keys(): array
    {
        $keys = $this->askInSession('keys');
        if ($keys === '') {
            // None, or the empty one alone.
            return $this->exists('') ? [''] : [];
        }
        return array_map('rawurldecode', explode('|', $keys));
    }

    /**
     * @return array<mixed> by their keys, of which decimal numbers are integers; objects are of no class
     * @throws SessionDataError
     */
    public function getAll(): array
    {
        return self::decoded($this->askInSession('get_all'));
    }

    /**
     * Puts these in place of all.
     *
     * @param array<mixed> $values
     * @throws SessionDataError when they cannot be stored: nothing is changed then
     */
    public function putAll(#[\SensitiveParameter] array $values): void
    {
        try {
            $text = serialize($values);
        } catch (\Exception) {
            // It would tell of what they hold.
            throw new SessionDataError('The values hold something that cannot be serialized.');
        }
        $this->change('put_all', rawurlencode($text), 'Could not store session data.');
    }

    /** Keeps what was done and lets others write; from then on the session is open to be read. */
    public function commit(): void
    {
        $this->change('commit');
        $this->opened($this->id(), false);
    }

    /** Keeps what was done, and ends. */
    public function close(): void
    {
        try {
            $this->askInSession('close');
        } finally {
            $this->opened(null, false);
        }
    }

    /**
     * Puts a value, sets the lifetime and closes, in one journey. When the value is refused, what was there stays.
     *
     * @param string|null $value null: no other than it has
     * @param int $lifetime as lifetime()
     * @return bool false when others have got the session's lock meanwhile: nothing is kept then
     * @throws SessionDataError when the value is too much, or other values refer to the one that is there
     */
    public function closeWith(
        #[\SensitiveParameter] string $key,
        #[\SensitiveParameter] ?string $value,
        int $lifetime,
    ): bool {
        $put = $value === null ? [] : ['put ' . rawurlencode($key) . ' ' . rawurlencode($value)];
        return $this->closeAfter(["lifetime $lifetime", ...$put]);
    }

    public function destroy(): void
    {
        $this->change('destroy');
        $this->opened(null, false);
    }

    /** What is kept of the session, and its lock, move to a new ID. @return string that ID */
    public function regenerateId(): string
    {
        $id = $this->change('regenerate_id');
        $this->opened($id, true);
        return $id;
    }

    /**
     * Seconds that the session lives on after each use; 0: for ever.
     *
     * @param int|null $seconds to set it, as of the next commit() or close()
     */
    public function lifetime(?int $seconds = null): int
    {
        return (int) ($seconds === null
            ? $this->askInSession('lifetime')
            : $this->change('lifetime', (string) $seconds));
    }

    /** Seconds that the session has left; 0: it has no end. */
    public function ttl(): int
    {
        return (int) $this->askInSession('ttl');
    }

    /** The same of any session, which is neither opened nor used. @return int|null null when there is none */
    public function ttlOf(#[\SensitiveParameter] string $id): ?int
    {
        $seconds = preg_match(self::ID, $id) === 1 ? $this->ask('ttl', $id, 'No such session.') : null;
        return $seconds === null ? null : (int) $seconds;
    }

    /** Begins the session's lifetime anew. @return bool false when there is none any more */
    public function touch(): bool
    {
        return $this->askInSession('touch', '', 'No such session.') !== null;
    }

    /**
     * What is kept of a session, without opening, locking or using it.
     *
     * @return array<mixed>|null as getAll(); null when there is none
     */
    public function peek(#[\SensitiveParameter] string $id): ?array
    {
        // Also what could not be sent: no session can have that ID.
        $values = preg_match(self::ID, $id) === 1 ? $this->ask('peek', $id, 'No such session.') : null;
        return $values === null ? null : self::decoded($values);
    }

    /** @return array<mixed> */
    private static function decoded(#[\SensitiveParameter] string $text): array
    {
        $values = @unserialize(rawurldecode($text), ['allowed_classes' => false]);
        return is_array($values) ? $values : throw new SessionDataError('The session is none that PHP can read.');
    }
}

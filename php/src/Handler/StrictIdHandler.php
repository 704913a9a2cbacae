<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * What the handlers of all stores have in common: only IDs that the store knows are accepted, a failure is an
 * exception and never an empty session, and requests of one session wait for each other if they are told to.
 *
 * A store adds short methods. "Not there" and "failed" must be different answers in each: taking a failed read for an
 * empty session would make PHP hand out a new ID and log the user out for good.
 *
 * Without a lock two requests of one session at the same time do not wait for each other, and whichever writes last
 * wins. Only a logout is final: a record that was there when a request began and is gone when it ends is not written
 * again, nor carried over to a new ID, or the slower page would log its visitor in once more.
 *
 * With a lock each request has the session to itself. One that waits for too long fails with SessionUnavailable; so
 * does one that took longer than its lease, when it writes: somebody else may have the session by then. One whose
 * session has ended or got another ID when its turn comes has an empty one, and nothing that it writes is kept.
 *
 * Call session_write_close() before sending output: an exception at the end of the request comes too late
 * for an error page, and until then nobody knows the ID of a new session.
 */
abstract class StrictIdHandler extends RecordStore implements
    \SessionHandlerInterface,
    \SessionIdInterface,
    \SessionUpdateTimestampHandlerInterface
{
    /** What PHP itself makes: session.sid_length is 22 to 256. Anything else never came from PHP. */
    protected const ID = '/^[A-Za-z0-9,-]{22,256}\z/';

    /** The ID that PHP has made or checked, and may read therefore. */
    private ?string $proven = null;

    /** @var array{string, string|\Throwable}|null ID, and what validateId() found, for the read() that follows */
    private ?array $found = null;

    /** The ID whose record was there when this request read it. */
    private ?string $existing = null;

    /** Why the session is not this request's any more; and why it therefore gets none of the new ID that PHP has made. */
    private ?SessionUnavailable $ended = null;
    private ?SessionUnavailable $refusal = null;

    public function __construct(private readonly HandlerSettings $settings = new HandlerSettings())
    {
    }

    final public function open(string $path, string $name): bool
    {
        $serializer = ini_get('session.serialize_handler');
        if ($this->settings->serializer !== null && $this->settings->serializer !== $serializer) {
            throw new InvalidSettings(
                "session.serialize_handler is $serializer, and the session store is for {$this->settings->serializer}.",
            );
        }
        if (!filter_var(ini_get('session.use_strict_mode'), FILTER_VALIDATE_BOOL)) {
            throw new InvalidSettings('session.use_strict_mode must be on, or visitors could choose their ID.');
        }
        // 0 means "for ever" to ext-memcached and "over at once" to ext-memcache: neither is worth a guess.
        $this->lifetime = $this->settings->lifetime ?? (int) ini_get('session.gc_maxlifetime');
        if ($this->lifetime < 1) {
            throw new InvalidSettings('session.gc_maxlifetime must be at least 1 second.');
        }
        return true;
    }

    final public function close(): bool
    {
        $this->proven = $this->found = $this->existing = null;
        $this->unlock();
        return true;
    }

    final public function create_sid(): string
    {
        return $this->proven = session_create_id();
    }

    final public function validateId(#[\SensitiveParameter] string $id): bool
    {
        // PHP asks about an ID of its own only where that replaces another.
        $this->refusal = $id === $this->proven ? $this->ended : null;
        $this->found = null;
        try {
            $found = preg_match(self::ID, $id) === 1 ? $this->locked($id) : null;
        } catch (\Throwable $error) {
            // Thrown here PHP would make a new ID all the same, and its cookie would log the visitor out.
            $found = $error;
        }
        if ($found === null) {
            return false;
        }
        $this->proven = $id;
        $this->found = [$id, $found];
        return true;
    }

    final public function read(#[\SensitiveParameter] string $id): string
    {
        if ($this->proven !== $id && session_status() === PHP_SESSION_ACTIVE) {
            throw new InvalidSettings(
                'PHP does not ask this handler whether it knows an ID: register the object, or all of its callbacks.',
            );
        }
        [$known, $record] = $this->found ?? [null, null];
        $failure = $this->refusal ?? ($known === $id && $record instanceof \Throwable ? $record : null);
        $this->found = $this->ended = $this->refusal = null;
        return $this->orClose(function () use ($id, $known, $record, $failure): string {
            if ($failure !== null) {
                throw $failure;
            }
            $record = $known === $id ? $record : $this->locked($id);
            $this->existing = $record === null ? null : $id;
            return $record ?? '';
        });
    }

    final public function write(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        $this->orClose(function () use ($id, $data): void {
            if ($this->existing !== $id) {
                $this->store($id, $data);
            } elseif (!$this->replace($id, $data, $this->token($id))) {
                $this->ended = self::sessionEnded();
            }
        });
        return true;
    }

    /** PHP calls this instead of write() when nothing has changed (session.lazy_write). */
    final public function updateTimestamp(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $data): bool
    {
        $this->orClose(fn () => $this->renew($id));
        return true;
    }

    final public function destroy(#[\SensitiveParameter] string $id): bool
    {
        $this->orClose(function () use ($id): void {
            $token = $this->token($id);
            $lost = $token !== null && !$this->holds($id, $token);
            if ($lost && self::isRegenerating()) {
                // What is in the store now, and not what this request has of it.
                $this->unlock();
                throw $this->load($id) === null ? self::sessionEnded() : self::lockLost();
            }
            // A logout is not refused; but who goes on with a new ID has what may be old data by now.
            $existed = $this->remove($id);
            $this->ended = match (true) {
                $this->existing !== $id => null,
                !$existed => self::sessionEnded(),
                $lost => self::lockLost(),
                default => null,
            };
        });
        return true;
    }

    final public function gc(int $max_lifetime): int|false
    {
        try {
            return $this->collect();
        } catch (SessionUnavailable) {
            // The page that PHP happened to choose for this is not the one to fail for it.
            return false;
        }
    }

    /** PHP does not say why it destroys a session: at its end, or since it has got a new ID. */
    private static function isRegenerating(): bool
    {
        $functions = array_column(debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS), 'function');
        return in_array('session_regenerate_id', $functions, true);
    }

    private static function sessionEnded(): SessionUnavailable
    {
        return new SessionUnavailable('The session has ended or got another ID since the page began: it gets none here.');
    }

    private function locked(#[\SensitiveParameter] string $id): ?string
    {
        return $this->loadLocked($id, $this->settings->lockWait, $this->settings->lockLease);
    }

    /** PHP does not close the handler after an exception, and a lock would stay. */
    private function orClose(#[\SensitiveParameter] \Closure $work): mixed
    {
        try {
            return $work();
        } catch (\Throwable $error) {
            $this->close();
            throw $error;
        }
    }
}

<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * Stores sessions in the session server, under the key `''` of each session, as PEAR's handler does. For locks and
 * errors see StoreHandler.
 *
 *     session_save_path('localhost:9090');
 *     session_set_save_handler(new SessionServerHandler(), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * The server has the locks, and requires one for each write. With `lockWait` in the settings, a request holds the lock
 * from reading to writing, otherwise only while it writes. The server notifies the chat server of each change, and
 * deletes expired sessions itself.
 *
 * Instead of a lease, the server has `SESSION_SERVER_LOCK_HOLD`: if a request has sent no data for that time, the next
 * waiting request gets the lock.
 */
final class SessionServerHandler extends StoreHandler
{
    /** The default time that a request waits for other requests of its session, in seconds. */
    public const LOCK_WAIT = 20;

    /** How long a write waits for the lock without `lockWait`, in seconds. */
    private const WRITE_WAIT = 5;

    /** The key of the data that PHP stores. */
    private const KEY = '';

    private readonly int $wait;

    /**
     * @param SessionServerClient|null $client used only by this handler; null: connects to `session.save_path`, which
     *        is HOST:PORT, or `unix:` and the path of a socket
     */
    public function __construct(
        private ?SessionServerClient $client = null,
        HandlerSettings $settings = new HandlerSettings(lockWait: self::LOCK_WAIT),
    ) {
        parent::__construct($settings);
        $this->wait = $settings->lockWait ?? self::WRITE_WAIT;
    }

    /** Keeps secrets out of dumps. */
    public function __debugInfo(): array
    {
        return ['client' => $this->client];
    }

    protected function load(#[\SensitiveParameter] string $id): ?string
    {
        return $this->isOpen($id) ? $this->client()->get(self::KEY) : $this->peek($id);
    }

    protected function store(#[\SensitiveParameter] string $id, #[\SensitiveParameter] string $record): void
    {
        $this->openToWrite($id);
        $client = $this->client();
        try {
            $client->lifetime($this->lifetime);
            $client->put(self::KEY, $record);
            $client->close();
        } finally {
            // After a failed write, close() would create an empty session.
            $client->isWritable() && $client->disconnect();
        }
    }

    protected function replace(
        #[\SensitiveParameter] string $id,
        #[\SensitiveParameter] string $record,
        ?string $token,
    ): bool {
        if ($token === null) {
            $this->openToWrite($id);
            return $this->keepIfThere($record);
        }
        if ($this->isOpen($id) && $this->client()->closeWith(self::KEY, $record, $this->lifetime)) {
            return true;
        }
        return $this->peek($id) === null ? false : throw self::lockLost();
    }

    protected function renew(#[\SensitiveParameter] string $id): void
    {
        $client = $this->client();
        if ($this->isOpen($id) && $client->closeWith(self::KEY, null, $this->lifetime)) {
            return;
        }
        // Opening a session renews its lifetime. Opening it for reading needs no lock.
        if (!$client->open($id, 'r') || !$client->exists(self::KEY)) {
            return;
        }
        if ($client->lifetime() === $this->lifetime) {
            $client->close();
            return;
        }
        $this->openToWrite($id);
        $this->keepIfThere(null);
    }

    protected function remove(#[\SensitiveParameter] string $id): bool
    {
        $client = $this->client();
        if (!$this->isOpen($id) || !$client->hasLock()) {
            $this->openToWrite($id);
        }
        $existed = $client->exists(self::KEY);
        $client->destroy();
        return $existed;
    }

    protected function acquire(#[\SensitiveParameter] string $id, string $token, int $lease): bool
    {
        return $this->acquireWithin($id, $token, $lease, 0);
    }

    protected function acquireWithin(
        #[\SensitiveParameter] string $id,
        string $token,
        int $lease,
        int $wait,
    ): bool {
        $start = hrtime(true);
        $this->client()->lockTimeout($wait * 1000);
        $opened = $this->client()->open($id);
        if (!$opened && hrtime(true) - $start < $wait * 900_000_000) {
            throw new SessionUnavailable('The session server cannot open the session, or too many requests wait for it.');
        }
        return $opened;
    }

    /** The lock belongs to the connection, so the token is not needed. */
    protected function holds(#[\SensitiveParameter] string $id, string $token): bool
    {
        return $this->isOpen($id) && $this->client()->hasLock();
    }

    protected function release(#[\SensitiveParameter] string $id, string $token): void
    {
        // write() has already saved and closed the session, if it has to be saved.
        if ($this->isOpen($id)) {
            $this->client()->disconnect();
        }
    }

    private function isOpen(#[\SensitiveParameter] string $id): bool
    {
        return $this->client()->isWritable() && $this->client()->id() === $id;
    }

    /** Opens the session for writing in a request that does not hold its lock. */
    private function openToWrite(#[\SensitiveParameter] string $id): void
    {
        $this->acquireWithin($id, '', 0, $this->wait) || throw self::lockedFor($this->wait);
    }

    /** Returns the saved record, independent of the session that this request has open. */
    private function peek(#[\SensitiveParameter] string $id): ?string
    {
        // A session without this key belongs to another program.
        $record = $this->client()->peek($id)[self::KEY] ?? null;
        return is_scalar($record) ? (string) $record : null;
    }

    /**
     * Writes and closes the open session, if it still contains a record of PHP.
     *
     * @param string|null $record null: only renews the lifetime
     * @return bool false if there is no record
     */
    private function keepIfThere(#[\SensitiveParameter] ?string $record): bool
    {
        $client = $this->client();
        if (!$client->exists(self::KEY)) {
            // close() would create an empty session.
            $client->disconnect();
            return false;
        }
        return $client->closeWith(self::KEY, $record, $this->lifetime)
            || throw new SessionUnavailable('Another request got the lock of the session during the write.');
    }

    private function client(): SessionServerClient
    {
        if ($this->client === null) {
            $path = (string) session_save_path();
            $form = '~^(?:unix:(/.+)|(?:\[([0-9a-f:.]+)\]|([^:/@\s\[\]]+))(?::([1-9]\d{0,4}))?)\z~i';
            if (preg_match($form, $path, $part, PREG_UNMATCHED_AS_NULL) !== 1) {
                throw new InvalidSettings('session.save_path must be HOST:PORT or unix:/PATH of the session server');
            }
            [, $socket, $address, $name, $port] = $part;
            $port = (int) ($port ?? SessionServerClient::PORT);
            $this->client = new SessionServerClient($socket ?? $address ?? $name, $port);
        }
        return $this->client;
    }
}

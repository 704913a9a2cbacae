<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;
use PhpSessionChat\Session\SessionServerClient;
use PhpSessionChat\Session\SessionUnavailable;

/**
 * PHP sessions in the session server, as PHP writes them, under the key `''` of each session: where its handler of old
 * keeps them, too. For locking and errors see StrictIdHandler.
 *
 *     session_save_path('localhost:9090');
 *     session_set_save_handler(new SessionServerHandler(), false);
 *     session_start(['use_strict_mode' => true]);
 *
 * The server itself has the locks, and whoever writes needs one. So each request has its session to itself, from reading
 * to writing, unless the settings say that it does not wait: then it holds the lock for the moment of writing. The
 * server tells a chat server of each change. What is over it removes by itself.
 *
 * In place of a lease the server has its `SESSION_SERVER_LOCK_HOLD`: to who waits, it gives the lock of a page that has
 * not asked it for anything for so long.
 */
final class SessionServerHandler extends StrictIdHandler
{
    /** Seconds that a request waits for the requests of its session before it, where nothing else is set. */
    public const LOCK_WAIT = 20;

    /** Seconds that a write waits for who has the session, where requests do not wait for each other. */
    private const WRITE_WAIT = 5;

    /** What PHP's handlers store. */
    private const KEY = '';

    private readonly int $wait;

    /**
     * @param SessionServerClient|null $client for this handler alone; null: `session.save_path` is the server's
     *        HOST:PORT, or `unix:` and the path of its socket
     */
    public function __construct(
        private ?SessionServerClient $client = null,
        HandlerSettings $settings = new HandlerSettings(lockWait: self::LOCK_WAIT),
    ) {
        parent::__construct($settings);
        $this->wait = $settings->lockWait ?? self::WRITE_WAIT;
    }

    /** What a dump of it shows. */
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
            // To close what could not be written would be to make a session of it.
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
        // To open it is to use it. To read it needs no lock, and waits for nobody.
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
            throw new SessionUnavailable('The session server cannot open the session, or too many wait for it.');
        }
        return $opened;
    }

    /** The lock is that of the connection: it needs no token. */
    protected function holds(#[\SensitiveParameter] string $id, string $token): bool
    {
        return $this->isOpen($id) && $this->client()->hasLock();
    }

    protected function release(#[\SensitiveParameter] string $id, string $token): void
    {
        // What was to be kept has been kept and closed.
        if ($this->isOpen($id)) {
            $this->client()->disconnect();
        }
    }

    private function isOpen(#[\SensitiveParameter] string $id): bool
    {
        return $this->client()->isWritable() && $this->client()->id() === $id;
    }

    /** Opens it to write, without the lock that a request has of its own. */
    private function openToWrite(#[\SensitiveParameter] string $id): void
    {
        $this->acquireWithin($id, '', 0, $this->wait) || throw self::lockedFor($this->wait);
    }

    /** As it is kept, not as this request has it open. */
    private function peek(#[\SensitiveParameter] string $id): ?string
    {
        // A session without it is another program's, which knows nothing of PHP.
        $record = $this->client()->peek($id)[self::KEY] ?? null;
        return is_scalar($record) ? (string) $record : null;
    }

    /**
     * Writes into the session that is open, and ends it.
     *
     * @param string|null $record null: only its lifetime begins anew
     * @return bool false when it is not there
     */
    private function keepIfThere(#[\SensitiveParameter] ?string $record): bool
    {
        $client = $this->client();
        if (!$client->exists(self::KEY)) {
            // To close what is not there would be to make a session of it.
            $client->disconnect();
            return false;
        }
        return $client->closeWith(self::KEY, $record, $this->lifetime)
            || throw new SessionUnavailable('Others have got the session\'s lock while it was being written.');
    }

    private function client(): SessionServerClient
    {
        if ($this->client === null) {
            $path = (string) session_save_path();
            $form = '~^(?:unix:(/.+)|(?:\[([0-9a-f:.]+)\]|([^:/@\s\[\]]+))(?::([1-9]\d{0,4}))?)\z~i';
            if (preg_match($form, $path, $part, PREG_UNMATCHED_AS_NULL) !== 1) {
                throw new InvalidSettings('session.save_path is the session server\'s HOST:PORT, or unix:/PATH');
            }
            [, $socket, $address, $name, $port] = $part;
            $port = (int) ($port ?? SessionServerClient::PORT);
            $this->client = new SessionServerClient($socket ?? $address ?? $name, $port);
        }
        return $this->client;
    }
}

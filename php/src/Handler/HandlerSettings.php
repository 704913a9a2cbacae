<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;

/** What every store's handler can be told. */
final class HandlerSettings
{
    /** Seconds: longer than pages take. */
    public const LEASE = 60;

    /** A year: what is longer is a slip of the pen. */
    private const MAX_LIFETIME = 366 * 24 * 60 * 60;

    /**
     * @param int|null $lifetime seconds that a session lives on after its last use; null: `session.gc_maxlifetime`
     * @param int|null $lockWait seconds that a request waits in all for the requests of its session before it;
     *        null: it does not wait, and the last to write wins
     * @param int $lockLease seconds after which a lock ends though its request has not
     * @param string|null $serializer what `session.serialize_handler` has to be, for whoever else reads the sessions;
     *        null where it does not matter
     * @throws InvalidSettings
     */
    public function __construct(
        public readonly ?int $lifetime = null,
        public readonly ?int $lockWait = null,
        public readonly int $lockLease = self::LEASE,
        public readonly ?string $serializer = null,
    ) {
        $lifetime === null || self::checkLifetime($lifetime);
        if ($lockWait !== null && ($lockWait < 1 || $lockWait > 600)) {
            throw new InvalidSettings('the wait for a lock must be 1 to 600 seconds');
        }
        if ($lockLease < 1 || $lockLease > 86400) {
            throw new InvalidSettings('the lease of a lock must be a second to a day');
        }
    }

    /** @throws InvalidSettings */
    public static function checkLifetime(int $seconds): void
    {
        if ($seconds < 1 || $seconds > self::MAX_LIFETIME) {
            throw new InvalidSettings('the lifetime must be a second to a year');
        }
    }
}

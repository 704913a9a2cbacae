<?php

declare(strict_types=1);

namespace PhpSessionChat\Session\Handler;

use PhpSessionChat\Session\InvalidSettings;

/** The settings that the handlers of all stores have in common. */
final class HandlerSettings
{
    /** Seconds: longer than pages take. */
    public const LEASE = 60;

    /** A year. A longer lifetime is most likely a mistake. */
    private const MAX_LIFETIME = 366 * 24 * 60 * 60;

    /**
     * @param int|null $lifetime seconds that a session lives after its last use; null: `session.gc_maxlifetime`
     * @param int|null $lockWait seconds that a request waits in all for other requests of its session; null: no lock,
     *        and the last request to write wins
     * @param int $lockLease seconds after which a lock ends even if its request still runs
     * @param string|null $serializer what `session.serialize_handler` must be, for programs that read the sessions too;
     *        null: anything
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

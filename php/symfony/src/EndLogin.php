<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use InvalidArgumentException;
use LogicException;
use PhpSessionChat\ChatClient;
use PhpSessionChat\ChatError;
use Psr\Log\LoggerInterface;
use Symfony\Component\Security\Http\Event\LogoutEvent;

/** Ends the tickets of the session at the logout. */
final class EndLogin
{
    /** @param \Closure(): ChatClient $chat throws if the key is malformed */
    public function __construct(
        private readonly ChatLogin $login,
        private readonly \Closure $chat,
        private readonly ?LoggerInterface $logger,
    ) {
    }

    public function __invoke(LogoutEvent $event): void
    {
        try {
            $sid = $this->login->id($event->getRequest());
        } catch (LogicException) {
            return;
        }
        try {
            ($this->chat)()->endLogin($sid);
        } catch (ChatError | InvalidArgumentException $error) {
            // The chat then ends when the page asks for its next ticket.
            $this->logger?->warning("chat: the logout could not end the tickets: {$error->getMessage()}");
        }
    }
}

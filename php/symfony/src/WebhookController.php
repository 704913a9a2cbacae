<?php

declare(strict_types=1);

namespace PhpSessionChat\Symfony;

use PhpSessionChat\ChatEvent;
use PhpSessionChat\Webhook;
use PhpSessionChat\WebhookError;
use Psr\EventDispatcher\EventDispatcherInterface;
use SensitiveParameter;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/** Dispatches the events of the chat server. If a listener throws, the chat server sends the event again. */
final class WebhookController
{
    public function __construct(
        private readonly EventDispatcherInterface $events,
        #[SensitiveParameter] private readonly ?string $key,
    ) {
    }

    public function __invoke(Request $request): Response
    {
        if ($this->key === null) {
            throw new NotFoundHttpException('php_chat.webhook_key is not set.');
        }
        $headers = [];
        foreach (['webhook-id', 'webhook-timestamp', 'webhook-signature'] as $name) {
            $headers[$name] = (string) $request->headers->get($name);
        }
        try {
            $event = (new Webhook($this->key))->verify($request->getContent(), $headers);
        } catch (WebhookError $error) {
            return new Response($error->getMessage(), 400, ['Content-Type' => 'text/plain']);
        }
        $this->events->dispatch(new ChatEvent($event['id'], $event['type'], $event['timestamp'], $event['data']));
        return new Response('', 204);
    }
}

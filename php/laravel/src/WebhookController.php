<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use PhpSessionChat\ChatEvent;
use PhpSessionChat\Webhook;
use PhpSessionChat\WebhookError;

/** Dispatches the events of the chat server. If a listener throws, the chat server sends the event again. */
final class WebhookController
{
    public function __invoke(Request $request, Webhook $webhook, Dispatcher $events): Response
    {
        $headers = [];
        foreach (['webhook-id', 'webhook-timestamp', 'webhook-signature'] as $name) {
            $headers[$name] = (string) $request->header($name);
        }
        try {
            $event = $webhook->verify($request->getContent(), $headers);
        } catch (WebhookError $error) {
            return new Response($error->getMessage(), 400, ['Content-Type' => 'text/plain']);
        }
        $events->dispatch(new ChatEvent($event['id'], $event['type'], $event['timestamp'], $event['data']));
        return new Response('', 204);
    }
}

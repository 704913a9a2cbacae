<?php

declare(strict_types=1);

namespace PhpSessionChat\Laravel;

use Illuminate\Notifications\Notification;
use PhpSessionChat\ChatClient;
use PhpSessionChat\ChatError;

/** The notification channel `php-chat`. */
final class ChatChannel
{
    public function __construct(private readonly ChatClient $chat, private readonly ChatUserIds $ids)
    {
    }

    /**
     * @throws ChatError
     * @throws \LogicException if the ID of the notified user is not clear
     */
    public function send(object $notifiable, Notification $notification): void
    {
        $message = $notification->toPhpChat($notifiable);
        if ($message->room === null) {
            $userId = $notifiable->routeNotificationFor('php-chat', $notification) ?? $this->ids->getId($notifiable);
            $this->chat->push($userId, $message->name, $message->content);
            return;
        }
        // If the queue retries the notification, its ID is the same, so the message is stored once.
        $this->chat->postMessage($message->room, $message->userId, $message->name, $message->content, $notification->id);
    }
}

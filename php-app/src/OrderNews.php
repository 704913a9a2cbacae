<?php

declare(strict_types=1);

namespace PhpSessionChat;

/**
 * Sends the site's messages to a user in a private room: an example of ChatClient.
 *
 * The clientId of a message depends on its subject, so that a second login or click does not repeat the message.
 */
final class OrderNews
{
    /** The ID of the site as a user of the chat. The IDs of real users are numbers. */
    private const SELF = 'site';

    public function __construct(private readonly ChatClient $chat, private readonly Texts $texts)
    {
    }

    /** @throws ChatError */
    public function welcome(User $user): void
    {
        $text = strtr($this->texts->get('news.welcome'), ['{name}' => $user->firstname]);
        try {
            $this->write($user, $text, 'welcome');
        } catch (ChatError $error) {
            // The user already has the welcome message in another language.
            if ($error->getErrorCode() !== 'conflict') {
                throw $error;
            }
        }
    }

    /** @param string $product a key of Products::ALL @throws ChatError */
    public function ordered(User $user, int $order, string $product): void
    {
        $text = strtr($this->texts->get('news.ordered'), [
            '{name}' => $user->firstname,
            '{number}' => (string) $order,
            '{product}' => $this->texts->get("product.$product"),
            '{price}' => '€' . Products::ALL[$product],
        ]);
        $this->write($user, $text, "order-$order", "order:$order");
    }

    /** Returns the ID of the user's private room with the site. */
    public static function room(User $user): string
    {
        return "orders-$user->id";
    }

    /** @param string|null $card the order that the message shows as a card: see Shop */
    private function write(User $user, string $text, string $clientId, ?string $card = null): void
    {
        $room = self::room($user);
        try {
            $this->chat->postMessage($room, self::SELF, $this->texts->get('site.name'), $text, $clientId, $card);
        } catch (ChatError $error) {
            if ($error->getErrorCode() !== 'unknown_room') {
                throw $error;
            }
            // The room does not exist before the first message to this user.
            $this->chat->putRoom($room, $this->texts->get('news.room'));
            $this->chat->changeMembers($room, [['id' => $user->id, 'name' => $user->firstname]]);
            $this->chat->postMessage($room, self::SELF, $this->texts->get('site.name'), $text, $clientId, $card);
        }
    }
}

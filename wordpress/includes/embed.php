<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

const SCRIPT = 'php-session-chat';
/** The action of admin-ajax.php that answers whether the current user sees the chat. */
const SEES = 'php_session_chat_sees';

add_shortcode('php_chat', static fn ($given): string => chat(is_array($given) ? $given : []));
add_shortcode('php_chat_badge', __NAMESPACE__ . '\badge');
add_action('init', static function (): void {
    register_block_type(dirname(__DIR__) . '/block', [
        'render_callback' => static fn (array $given): string =>
            '<div ' . get_block_wrapper_attributes() . '>' . chat($given) . '</div>',
    ]);
    wp_add_inline_script('php-session-chat-chat-editor-script', 'window.phpSessionChatBlock = ' . wp_json_encode([
        'settings' => __('Settings', 'php-session-chat'),
        'room' => __('Room', 'php-session-chat'),
        'roomHelp' => __('The ID of the room to open. Empty: the list of rooms.', 'php-session-chat'),
        'theme' => __('Theme', 'php-session-chat'),
        'asPage' => __('As the page', 'php-session-chat'),
        'light' => __('Light', 'php-session-chat'),
        'dark' => __('Dark', 'php-session-chat'),
        'chat' => __('Chat', 'php-session-chat'),
        'members' => __('Logged-in members see the chat here.', 'php-session-chat'),
    ]) . ';', 'before');
});
add_action('wp_footer', __NAMESPACE__ . '\print_launcher', 5);
// Before the scripts.
add_action('wp_footer', __NAMESPACE__ . '\print_settings', 19);
add_filter('get_the_archive_description', __NAMESPACE__ . '\add_message_button');
add_action('wp_ajax_' . SEES, __NAMESPACE__ . '\answer_sees');

add_action('set_logged_in_cookie', static function ($cookie, $until, $expiration, $user): void {
    remember_user((int) $user, (int) $until);
}, 10, 4);
add_action('clear_auth_cookie', static fn () => remember_user(0, 1));
// For logins from before the installation, and by plugins without WordPress's cookie.
add_action('init', static function (): void {
    $user = get_current_user_id();
    if (server() !== '' && (int) ($_COOKIE[user_cookie()] ?? 0) !== $user && !headers_sent()) {
        remember_user($user, $user === 0 ? 1 : 0);
    }
});

/**
 * Returns the chat, or a link to the login for a visitor who may not be a guest.
 *
 * @param array<string, string> $given the attributes `room` and `theme`
 */
function chat(array $given): string
{
    if (server() === '' || is_feed()) {
        return '';
    }
    is_on_page(true);
    $theme = (string) ($given['theme'] ?? '');
    $chat = tag('php-chat', [
        'room' => (string) ($given['room'] ?? ''),
        'theme' => in_array($theme, ['light', 'dark'], true) ? $theme : '',
    ] + appearance(), __('The chat couldn’t be loaded. Load this page again later.', 'php-session-chat'));
    $text = esc_html__('Log in to use the chat', 'php-session-chat');
    $login = '<p><a href="' . esc_url(wp_login_url((string) get_permalink())) . "\">$text</a></p>";
    return box('div', $chat, $login) . '<noscript><p>' . esc_html__('The chat needs JavaScript.', 'php-session-chat') . '</p></noscript>';
}

/** Returns the element that shows the number of unread messages. */
function badge(): string
{
    return server() !== '' && !is_feed()
        ? box('span', tag('php-chat-badge', ['server' => server(), 'ticket-url' => ticket_url()]))
        : '';
}

/** Prints the launcher, unless the page already contains the chat. */
function print_launcher(): void
{
    ['launcher' => $isOn, 'side' => $side, 'ask' => $asks] = settings();
    if ($isOn && !is_on_page() && server() !== '') {
        // tag() escapes the attributes.
        $own = ['side' => $side === 'start' ? 'start' : '', 'ask' => $asks ? 'ask' : ''];
        echo box('div', tag('php-chat-launcher', appearance() + $own)); // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped
    }
}

/** Adds a button to an author's page. It opens a direct room with the author in the launcher. */
function add_message_button(string $description): string
{
    $author = is_author() ? get_queried_object() : null;
    if (!$author instanceof \WP_User || !settings()['launcher'] || server() === '') {
        return $description;
    }
    /* translators: %s: name of a user */
    $text = esc_html(sprintf(__('Message %s', 'php-session-chat'), isolated($author->display_name)));
    $button = "<p><button type=\"button\" class=\"wp-element-button\" data-chat-with=\"" . esc_attr(chat_id($author)) . "\">$text</button></p>";
    return $description . box('div', $button, '', (string) $author->ID);
}

/** Returns whether this page contains the chat. */
function is_on_page(bool $add = false): bool
{
    static $is = false;
    return $is = $is || $add;
}

/** @return array<string, string> the attributes of the chat and the launcher */
function appearance(): array
{
    $accent = settings()['accent'];
    return [
        'server' => server(),
        'ticket-url' => ticket_url(),
        'login-url' => add_query_arg('redirect_to', '{return}', wp_login_url()),
        'style' => $accent === '' ? '' : "--pc-accent: $accent",
    ];
}

/**
 * Returns an element of the chat.
 *
 * @param array<string, string> $attributes empty ones are omitted
 */
function tag(string $name, array $attributes, string $text = ''): string
{
    $shown = '';
    foreach ($attributes as $key => $value) {
        $shown .= $value === '' ? '' : " $key=\"" . esc_attr($value) . '"';
    }
    return "<$name$shown>" . esc_html($text) . "</$name>";
}

/**
 * Returns HTML that public/embed.js replaces by what the user or visitor may see. It is the same for everyone, because
 * a page cache may show a page to others than those for whom WordPress made it.
 *
 * @param string $visitor HTML for visitors who may not chat
 * @param string $notTo the ID of a user who does not see it
 */
function box(string $element, string $html, string $visitor = '', string $notTo = ''): string
{
    wp_enqueue_script(SCRIPT, plugins_url('public/embed.js', FILE), [], VERSION, true);
    $shown = $notTo === '' ? '' : ' data-not-to="' . esc_attr($notTo) . '"';
    $other = $visitor === '' ? '' : "<template>$visitor</template>";
    return "<$element class=\"php-session-chat\"$shown><template>$html</template>$other</$element>";
}

/**
 * Prints the settings for public/embed.js. They are not in attributes `data-…` of the boxes, because WordPress accepts
 * these in the posts of authors who may not add scripts.
 */
function print_settings(): void
{
    if (!wp_script_is(SCRIPT)) {
        return;
    }
    $settings = wp_json_encode([
        'server' => server(),
        'cookie' => user_cookie(),
        'ask' => chosen_roles() === [] ? '' : add_query_arg('action', SEES, admin_url('admin-ajax.php')),
        'guests' => settings()['guests'],
    ], JSON_HEX_TAG);
    echo "<script type=\"application/json\" class=\"php-session-chat-settings\">$settings</script>\n"; // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped
}

/** Answers whether the current user has one of the roles that see the chat. */
function answer_sees(): void
{
    send_private_json(['sees' => sees_chat()]);
}

/** Returns the name of the cookie with the ID of the user, which scripts can read. Another site below may have its own. */
function user_cookie(): string
{
    // Network plugins are loaded before COOKIEHASH is defined.
    return 'php_session_chat_' . COOKIEHASH;
}

/**
 * Sets the cookie for scripts, because they cannot read the cookie of the login. It proves nothing.
 *
 * @param int $user 0: deletes the cookie
 * @param int $until Unix seconds; 0: until the browser ends
 */
function remember_user(int $user, int $until): void
{
    foreach (array_unique([COOKIEPATH, SITECOOKIEPATH]) as $path) {
        setcookie(user_cookie(), $user === 0 ? '' : (string) $user, [
            'expires' => $until,
            'path' => $path,
            'domain' => (string) COOKIE_DOMAIN,
            'secure' => str_starts_with(site_origin(), 'https:'),
            'samesite' => 'Lax',
        ]);
    }
}

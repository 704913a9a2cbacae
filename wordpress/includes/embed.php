<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

const SCRIPT = 'php-session-chat';

add_shortcode('php_chat', static fn ($given): string => chat(is_array($given) ? $given : []));
add_shortcode('php_chat_badge', __NAMESPACE__ . '\badge');
add_action('init', static function (): void {
    register_block_type(dirname(__DIR__) . '/block', [
        'render_callback' => static fn (array $given): string =>
            '<div ' . get_block_wrapper_attributes() . '>' . chat($given) . '</div>',
    ]);
});
add_action('wp_footer', __NAMESPACE__ . '\print_launcher', 5);
add_filter('script_loader_tag', __NAMESPACE__ . '\as_module', 10, 2);

add_filter('get_the_archive_description', __NAMESPACE__ . '\add_message_button');

/**
 * Returns the chat, or a link to the login for a visitor who may not be a guest.
 *
 * @param array<string, string> $given the attributes `room` and `theme`
 */
function chat(array $given): string
{
    ['server' => $server] = settings();
    if ($server === '' || is_feed()) {
        return '';
    }
    if (!is_user_logged_in() && !sees_chat()) {
        $text = esc_html__('Log in to use the chat', 'php-session-chat');
        return '<p><a href="' . esc_url(wp_login_url((string) get_permalink())) . "\">$text</a></p>";
    }
    if (!sees_chat()) {
        return '';
    }
    is_on_page(true);
    $theme = (string) ($given['theme'] ?? '');
    return tag('php-chat', [
        'room' => (string) ($given['room'] ?? ''),
        'theme' => in_array($theme, ['light', 'dark'], true) ? $theme : '',
    ] + appearance(), __('The chat couldn’t be loaded. It needs JavaScript.', 'php-session-chat'));
}

/** Returns the element that shows the number of unread messages. */
function badge(): string
{
    return sees_chat() && !is_feed()
        ? tag('php-chat-badge', ['server' => settings()['server'], 'ticket-url' => ticket_url()])
        : '';
}

/** Prints the launcher, unless the page already contains the chat. */
function print_launcher(): void
{
    ['launcher' => $isOn, 'side' => $side] = settings();
    if ($isOn && !is_on_page() && sees_chat()) {
        // tag() escapes the attributes.
        echo tag('php-chat-launcher', appearance() + ['side' => $side === 'start' ? 'start' : '']); // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped
    }
}

/** Adds a button to an author's page. It opens a direct room with the author in the launcher. */
function add_message_button(string $description): string
{
    $author = is_author() ? get_queried_object() : null;
    $isShown = settings()['launcher'] && is_user_logged_in() && sees_chat();
    if (!$author instanceof \WP_User || !$isShown || $author->ID === get_current_user_id()) {
        return $description;
    }
    /* translators: %s: name of a user */
    $text = esc_html(sprintf(__('Message %s', 'php-session-chat'), $author->display_name));
    return "$description<p><button type=\"button\" class=\"wp-element-button\" data-chat-with=\"" . esc_attr(chat_id($author)) . "\">$text</button></p>";
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
    ['server' => $server, 'accent' => $accent] = settings();
    return [
        'server' => $server,
        'ticket-url' => ticket_url(),
        'login-url' => add_query_arg('redirect_to', '{return}', wp_login_url()),
        'style' => $accent === '' ? '' : "--pc-accent: $accent",
    ];
}

/**
 * Returns an element of the chat, and loads its script.
 *
 * @param array<string, string> $attributes empty ones are omitted
 */
function tag(string $name, array $attributes, string $text = ''): string
{
    // phpcs:ignore WordPress.WP.EnqueuedResourceParameters.MissingVersion
    wp_enqueue_script(SCRIPT, script(), [], null, true);
    $shown = '';
    foreach ($attributes as $key => $value) {
        $shown .= $value === '' ? '' : " $key=\"" . esc_attr($value) . '"';
    }
    return "<$name$shown>" . esc_html($text) . "</$name>";
}

/** Returns the address of the elements' script. The chat server serves it, so both have the same version. */
function script(): string
{
    return settings()['server'] . 'php-chat.js';
}

/**
 * Makes the script a module, because only WordPress 6.5 and later have a function for modules. Restores its address,
 * because WordPress puts its own folder before a path.
 */
function as_module(string $tag, string $handle): string
{
    return $handle === SCRIPT ? wp_get_script_tag(['type' => 'module', 'src' => script(), 'id' => "$handle-js"]) : $tag;
}

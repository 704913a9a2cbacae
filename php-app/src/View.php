<?php

declare(strict_types=1);

namespace PhpSessionChat;

/** Renders the templates. They print values only with `$e`, and texts only with `$t`. Both escape HTML. */
final class View
{
    private const FOLDER = __DIR__ . '/../templates';

    public function __construct(private readonly Texts $texts)
    {
    }

    /**
     * @param string $template the name of a file in templates/, which may set $title, $class, $head and $launcher
     * @param array<string, mixed> $values the variables of the template
     * @return string the whole page
     */
    public function page(string $template, array $values): string
    {
        $language = $this->texts->language;
        $e = self::escape(...);
        $t = fn (string $key): string => self::escape($this->texts->get($key));
        extract($values, EXTR_SKIP);
        $title = $class = $head = '';
        $launcher = true;
        ob_start();
        try {
            require self::FOLDER . "/$template.php";
            $content = ob_get_contents();
            ob_clean();
            require self::FOLDER . '/layout.php';
            return ob_get_contents();
        } finally {
            ob_end_clean();
        }
    }

    private static function escape(string|int $value): string
    {
        // ENT_SUBSTITUTE replaces invalid bytes by U+FFFD. Without it, the whole value would become ''.
        return htmlspecialchars((string) $value, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
    }
}

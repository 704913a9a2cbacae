<?php

declare(strict_types=1);

$title = $t('nav.notices') . ' · ' . $t('site.name');
?>
<main class="wide">
<h1><?= $t('nav.notices') ?></h1>
<p class="lead"><?= $t('notices.lead') ?></p>
<?php if ($notices === []) : ?>
<p><?= $t('notices.none') ?></p>
<?php else : ?>
<ul class="mails">
<?php foreach ($notices as ['at' => $at, 'name' => $name, 'unread' => $unread, 'subject' => $subject, 'text' => $text]) : ?>
<li><p><time datetime="<?= gmdate(DATE_ATOM, $at) ?>"><?= gmdate('Y-m-d H:i', $at) ?> UTC</time> <?= strtr($t('notices.line'), ['{name}' => '<bdi>' . $e($name) . '</bdi>', '{count}' => $e($unread)]) ?></p>
<article><p><strong><?= $e($subject) ?></strong></p><pre><?= $e($text) ?></pre></article></li>
<?php endforeach ?>
</ul>
<?php endif ?>
</main>

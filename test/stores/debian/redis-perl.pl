# Sessions with Perl's Redis: before and after the node that listens on the second port is killed.
#
#     perl redis-perl.pl before|after PORT PORT
use strict;
use warnings;
use Redis;
use Time::HiRes qw(sleep);

my ($phase, $first, $second) = @ARGV;
my $home  = Redis->new(server => "127.0.0.1:$first");
my $other = Redis->new(server => "127.0.0.1:$second");

sub check {
    my ($what, $got, $wanted) = @_;
    $_ //= '(none)' for $got, $wanted;
    die "$what: $got, not $wanted\n" if $got ne $wanted;
}

if ($phase eq 'before') {
    $home->setex('perl:ann', 3600, '0');
    check('read elsewhere', $other->get('perl:ann'), '0');
    $other->set('perl:ann', '1', 'EX', 1800);
    check('updated', $home->get('perl:ann'), '1');
    check('touched', $home->expire('perl:ann', 3600), 1);
    $home->rename('perl:ann', 'perl:ben');
    check('old id', $other->get('perl:ann'), undef);
    $home->hmset('perl:hash', user => 'ann', views => 1);
    my %hash = $other->hgetall('perl:hash');
    check('hash', $hash{user}, 'ann');
    check('listed', join(' ', sort $other->keys('perl:*')), 'perl:ben perl:hash');
    check('cleared', $home->del('perl:ben', 'perl:hash'), 2);
    $home->set('perl:ida', '0', 'PX', 300);
    sleep 0.35;
    check('expired', $other->get('perl:ida'), undef);
    $home->multi;
    $home->set('perl:t', 1);
    $home->incr('perl:t');
    $home->del('perl:t');
    check('transaction', join(' ', $home->exec), 'OK 2 1');
    check('version', $home->info->{redis_version}, '7.0.15');
    $other->setex('perl:zoe', 3600, '0');
} else {
    check('on a survivor', $home->get('perl:zoe'), '0');
    check('counted', $home->incr('perl:zoe'), 1);
    check('on the other one', $other->get('perl:zoe'), '1');
    check('logged out', $other->del('perl:zoe'), 1);
}

/* hostile_plan.c - writes a valid plan all of whose names try to break out of
 * what they are printed in.
 *
 *   hostile_plan OUT.slb
 */
#include "tests/lib/plan_sample.h"
#include "vm/gates/gates.h"

static const char *const names[] = {
	"</script><script>alert(1)</script>", "a\"b\\\" ]; evil -> graph { x",
	"<img src=x onerror='alert(2)'>&lt;&amp;", "esc\x1b[31mred\x07",
	"rtl\xe2\x80\xae" "gnp.exe", "bad utf8 \xc3( \xff", "line\nbreak\ttab",
	"{a|b}<c>\\N\\G\\l", "--><!--]]>", "%s%n%d",
};

int
main(int argc, char **argv)
{
	Sample s = {0};
	PlanError e;
	uint32_t at[COUNT_OF(names)], k = 0;
	if (argc != 2)
		return EXIT_USAGE;
	Plan *p = sample_make(&s);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		at[i] = build_string(&s.b, names[i]);
	p->n_strings = s.b.p.n_strings;
#define NEXT at[k++ % COUNT_OF(names)]
	p->head.name = NEXT;
	p->head.profile = NEXT;
	for (int i = 0; i < AXIS_MAX; i++)
		p->head.axis_name[i] = NEXT;
	for (uint32_t i = 0; i < p->n_buffers; i++)
		p->buffers[i].name = NEXT;
	for (uint32_t i = 0; i < p->n_debugs; i++)
		p->debugs[i].scope = p->debugs[i].component = NEXT;
	for (uint32_t i = 0; i < p->n_phases; i++)
		p->phases[i].name = NEXT;
	for (uint32_t i = 0; i < p->n_groups; i++)
		p->groups[i].name = NEXT;
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		p->nodes[i].name = NEXT;
		p->nodes[i].type = NEXT;
		p->nodes[i].scope = NEXT;
		p->nodes[i].component = NEXT;
	}
	bool ok = plan_verify(p, &e, NULL) && plan_check(p, &e, NULL)
		&& plan_save(p, argv[1], &e);
	if (!ok)
		fprintf(stderr, "hostile_plan: %s\n", e.text);
	sample_free(&s);
	return !ok;
}

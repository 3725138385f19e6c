/* Stands in for a user's CoLM library in tests: the same symbol, none of its physics.
 *
 * It checks the contract of a call and ends the process with status 7 and a line on stderr where it is broken, reads its
 * files as CoLM does, and returns fields that are functions of its inputs and of what it read, so that every value
 * can be told where it came from. The state, a sum of precipitation, shows order and number of the calls.
 *
 * DOUBLE_FAULT="kind step rank" makes it fail in that step of that block: abort, exit, segfault, hang, nan.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEVELS 8
#define NUMBERS (5 + 5 * LEVELS)

static int columns = 0;
static double *table;          /* columns x NUMBERS of CoLM_readin.dat */
static double *rain_sum;       /* mm */
static double *porosity_of, *thickness_of, residual;
static int start[4];
static char frequency[32], hot_start[32];

static void fail(const char *what) {
    fflush(stdout);
    fprintf(stderr, "library double: %s\n", what);
    fflush(stderr);
    exit(7);
}

#define EXPECT(condition) do { if (!(condition)) fail("not so: " #condition); } while (0)

static void read_namelist(void) {
    char line[256];
    int found = 0;
    FILE *file = fopen("CoLM_nlfile.nml", "r");
    if (!file) fail("no CoLM_nlfile.nml");
    EXPECT(fgets(line, sizeof line, file) && !strcmp(line, "&nl_colm\n"));
    while (fgets(line, sizeof line, file)) {
        found += sscanf(line, " DEF_simulation_time%%start_year = %d", &start[0]) == 1;
        found += sscanf(line, " DEF_simulation_time%%start_month = %d", &start[1]) == 1;
        found += sscanf(line, " DEF_simulation_time%%start_day = %d", &start[2]) == 1;
        found += sscanf(line, " DEF_simulation_time%%start_sec = %d", &start[3]) == 1;
        found += sscanf(line, " DEF_WRST_FREQ = '%31[a-zA-Z]'", frequency) == 1;
        found += sscanf(line, " DEF_hotstart = %31s", hot_start) == 1;
    }
    fclose(file);
    EXPECT(found == 6);
    EXPECT(!strcmp(line, "/\n"));
}

static void read_cells(int count) {
    int c, k, rest;
    FILE *file = fopen("CoLM_readin.dat", "r");
    if (!file) fail("no CoLM_readin.dat");
    for (c = 0; c < count; c++) {
        for (k = 0; k < NUMBERS; k++)
            if (fscanf(file, "%lf", &table[c * NUMBERS + k]) != 1) fail("CoLM_readin.dat is too short");
        while ((rest = fgetc(file)) == ' ') ;
        if (rest != '\n') fail("more than 45 numbers in a line of CoLM_readin.dat");
        EXPECT(table[c * NUMBERS + 2] >= 1 && table[c * NUMBERS + 2] <= 17);
    }
    if (fgetc(file) != EOF) fail("CoLM_readin.dat is too long");
    fclose(file);
}

static void read_snicar(void) {
    double x;
    int count = 0;
    FILE *file = fopen("snicar_par.dat", "r");
    if (!file) fail("no snicar_par.dat");
    while (fscanf(file, "%lf", &x) == 1) count++;
    fclose(file);
    EXPECT(count == 2728 * 3);
}

static void read_restart(int rank) {
    char name[64];
    int c;
    FILE *file;
    snprintf(name, sizeof name, "CoLM.TimeInvariants.rst.%d", rank);
    if (!(file = fopen(name, "r"))) fail("no time-invariant restart file");
    fclose(file);
    snprintf(name, sizeof name, "CoLM.TimeVariables.rst.%d", rank);
    if (!(file = fopen(name, "r"))) fail("no restart file");
    for (c = 0; c < columns; c++) EXPECT(fread(&rain_sum[c], sizeof(double), 1, file) == 1);
    fclose(file);
}

static void write_restart(const char *kind, int rank) {
    char name[64];
    FILE *file;
    snprintf(name, sizeof name, "CoLM.Time%s.rst.%d", kind, rank);
    file = fopen(name, "w");
    fwrite(rain_sum, sizeof(double), columns, file);
    fclose(file);
}

static void maybe_fail(int istep, int rank, double *flux) {
    char kind[16];
    int step, block;
    const char *order = getenv("DOUBLE_FAULT");
    if (!order || sscanf(order, "%15s %d %d", kind, &step, &block) != 3 || step != istep || block != rank) return;
    printf("about to %s in step %d\n", kind, istep);
    if (!strcmp(kind, "abort")) abort();
    if (!strcmp(kind, "exit")) { fflush(stdout); _exit(0); }
    if (!strcmp(kind, "segfault")) { fflush(stdout); *(volatile int *)0 = 1; }
    if (!strcmp(kind, "hang")) { fflush(stdout); for (;;) sleep(1); }
    if (!strcmp(kind, "nan")) flux[0] = NAN;
}

void clm_lsm_c(
    double *pressure, double *saturation, double *evap_trans, double *topo, double *porosity, double *pf_dz_mult,
    int istep, double dt, double time, double start_time, double pdx, double pdy, double pdz, int ix, int iy,
    int nx, int ny, int nz, int nx_f, int ny_f, int nz_f, int nz_rz, int ip, int npp, int npq, int npr,
    int gnx, int gny, int rank,
    double *sw, double *lw, double *prcp, double *tas, double *u, double *v, double *patm, double *qatm,
    double *lai, double *sai, double *z0m, double *displa, double *slope_x, double *slope_y,
    double *eflx_lh, double *eflx_lwrad, double *eflx_sh, double *eflx_grnd, double *qflx_tot, double *qflx_grnd,
    double *qflx_soi, double *qflx_eveg, double *qflx_tveg, double *qflx_in, double *swe, double *t_g, double *t_soi,
    int dump_interval, int one_d_out, int forc_veg, char *output_dir, int output_dir_length, int bin_output_dir,
    int write_binary, int slope_accounting, int beta_type, int stress_type,
    double wilting_point, double field_capacity, double res_sat,
    int irr_type, int irr_cycle, double irr_rate, double irr_start, double irr_stop, double irr_threshold,
    double *qirr, double *qirr_inst, double *irr_flag, int irr_thresholdtype, int soi_z, int next, int write_logs,
    int last_rst, int daily_rst, int nlevsoi, int nlevlak)
{
    double *volumes_in[] = {pressure, saturation, topo, porosity, pf_dz_mult};
    double *surfaces_in[] = {sw, lw, prcp, tas, u, v, patm, qatm, lai, sai, z0m, displa, slope_x, slope_y, qirr, irr_flag};
    double *fluxes[] = {eflx_lh, eflx_lwrad, eflx_sh, eflx_grnd, qflx_tot, qflx_grnd, qflx_soi, qflx_eveg, qflx_tveg,
                        qflx_in, swe, t_g};
    long plane = (long)nx_f * ny_f, p;
    int a, c, k, x, y, top;
    Dl_info info;

    EXPECT(nx_f == nx + 2 && ny_f == ny + 2 && nz_f == nz + 2);
    EXPECT(nx >= 1 && ny >= 1 && nz >= 10 && ix >= 0 && iy >= 0 && ix + nx <= gnx && iy + ny <= gny);
    EXPECT(dt == 1.0 && nlevsoi == 10 && output_dir && (int)strlen(output_dir) == output_dir_length);
    for (p = 0; p < plane * nz_f; p++) EXPECT(evap_trans[p] == 0.0);
    for (p = 0; p < plane * 12; p++) EXPECT(t_soi[p] == 0.0 && qirr_inst[p] == 0.0);
    for (a = 0; a < 12; a++) for (p = 0; p < plane * 3; p++) EXPECT(fluxes[a][p] == 0.0);
    for (a = 0; a < 5; a++) for (k = 0; k < nz_f; k++) for (y = 0; y < ny_f; y++) for (x = 0; x < nx_f; x++)
        if (k == 0 || k > nz || y == 0 || y > ny || x == 0 || x > nx)
            EXPECT(volumes_in[a][k * plane + y * nx_f + x] == 0.0);
    for (a = 0; a < 16; a++) for (k = 0; k < 3; k++) for (y = 0; y < ny_f; y++) for (x = 0; x < nx_f; x++)
        if (k != 1 || y == 0 || y > ny || x == 0 || x > nx || a >= 8)
            EXPECT(surfaces_in[a][k * plane + y * nx_f + x] == 0.0);

    if (time == start_time) {
        if (columns) fail("already allocated");
        EXPECT(topo[nz * plane + nx_f + 1] > 0.0); /* first cell */
        EXPECT(gnx * gny == nx * ny && ix == 0 && iy == 0); /* what the double can read; CoLM picks lines */
        columns = nx * ny;
        table = malloc(sizeof(double) * columns * NUMBERS);
        rain_sum = calloc(columns, sizeof(double));
        porosity_of = malloc(sizeof(double) * plane * nz_f);
        thickness_of = malloc(sizeof(double) * nz_f);
        memcpy(porosity_of, porosity, sizeof(double) * plane * nz_f);
        for (k = 0; k < nz_f; k++) thickness_of[k] = pdz * pf_dz_mult[k * plane + ny * nx_f + nx]; /* last cell */
        residual = res_sat;
        read_namelist();
        read_cells(columns);
        read_snicar();
        if (!strcmp(hot_start, ".true.")) read_restart(rank); else EXPECT(!strcmp(hot_start, ".false."));
        write_restart("Invariants", rank);
        EXPECT(dladdr((void *)clm_lsm_c, &info));
        printf("library %s\n", info.dli_fname);
        printf("start %d %d %d %d\n", start[0], start[1], start[2], start[3]);
        printf("integers");
        {
            int integers[] = {ix, iy, nx, ny, nz, nx_f, ny_f, nz_f, nz_rz, ip, npp, npq, npr, gnx, gny, rank,
                              dump_interval, one_d_out, forc_veg, bin_output_dir, write_binary, slope_accounting,
                              beta_type, stress_type, irr_type, irr_cycle, irr_thresholdtype, soi_z, next, write_logs,
                              last_rst, daily_rst, nlevsoi, nlevlak};
            for (a = 0; a < (int)(sizeof integers / sizeof *integers); a++) printf(" %d", integers[a]);
        }
        printf("\ndoubles %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g\n", dt, start_time, pdx,
               pdy, pdz, wilting_point, field_capacity, res_sat, irr_rate, irr_start, irr_stop, irr_threshold);
    } else if (!columns) {
        fail("the first call is not at the start time");
    }
    printf("step %d at %g h\n", istep, time);

    for (y = 1, c = 0; y <= ny; y++) for (x = 1; x <= nx; x++, c++) {
        double *cell = table + c * NUMBERS;
        long at = plane + y * nx_f + x, column = y * nx_f + x;
        for (top = nz; top > 0 && !(topo[top * plane + column] > 0.0); top--) ;
        if (!top) continue;
        rain_sum[c] += prcp[at] * 3600.0;
        eflx_lh[at] = 0.1 * sw[at] + cell[2] + 1e-3 * cell[3] + 1e-3 * cell[4]; /* class, longitude, latitude */
        eflx_sh[at] = 0.0;
        for (k = 0; k < 5 * LEVELS; k++) eflx_sh[at] += (k + 1) * cell[5 + k];
        eflx_grnd[at] = u[at] + 10.0 * v[at] + 1e-3 * patm[at] + 1e3 * qatm[at];
        eflx_lwrad[at] = lw[at] + 0.01 * tas[at];
        qflx_in[at] = prcp[at];
        qflx_tveg[at] = 1e-6;
        qflx_tot[at] = 1e-6 + 1e-9 * (beta_type + 10 * stress_type) + 1e-8 * wilting_point + 2e-8 * field_capacity
                       + 4e-8 * residual;
        swe[at] = rain_sum[c];
        t_g[at] = tas[at];
        for (k = 0; k < 10; k++) { /* from the top */
            long here = (top - k) * plane + column;
            evap_trans[here] = 1e-6 * saturation[here] + 1e-7 * pressure[here] + 1e-5 * porosity_of[here]
                               + (k == 0 ? 3.6 * prcp[at] / thickness_of[top] : 0.0);
            t_soi[(10 - k) * plane + column] = tas[at] - k;
        }
        if (c == 0) maybe_fail(istep, rank, &eflx_lh[at]);
    }
    if (!strcmp(frequency, "HOURLY")) write_restart("Variables", rank);
    /* deeper layers and ghost cells stay as the caller left them; CoLM does not promise them, so spoil the ghosts */
    for (a = 0; a < 12; a++) fluxes[a][0] = -9999.0;
    evap_trans[0] = t_soi[0] = -9999.0;
}

basis_it_s_odd_x_s_e = "owner/name"
